package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/client"
)

const (
	consoleFigures = "console"       // what -only calls all of them
	consoleWithin  = 5 * time.Minute // for one part of the browser's work
	handSeconds    = 8               // of a round of interactions
	longSeconds    = 60              // of scrolling and filtering before memory is measured
	liveRows       = 48              // that change with each reset
	liveEvery      = time.Second     // a reset
	checksTake     = 3 * time.Second // until the clusters were looked at that are not there
)

// consoleBudgets are what the console promises. Unlike the other limits they are not measured: they are what a person
// notices, on any machine.
var consoleBudgets = []struct {
	name, unit string
	limit      float64
}{
	{"console_first_rows", "ms", 800}, {"console_filter", "ms", 400}, {"console_end_key", "ms", 300}, {"console_scroll_p95", "ms", 50},
	{"console_interaction_p98", "ms", 100}, {"console_dom_nodes", "nodes", 1_500}, {"console_heap", "MB", 120}, {"console_run_1000", "ms", 1_000},
	{"console_js_gzip", "kB", 230}, {"console_css_gzip", "kB", 40},
}

// consoleFilters are typed into the explorer: a few Secrets of one namespace, some of the real cluster, and very many. The
// slowest of them counts.
var consoleFilters = []string{"unit-0123", "app-07", "ledger"}

// console measures the console on the server with 100,000 Secrets. Of the figures that rounds were taken of, the median
// counts; memory is looked at once, after a minute.
func (b *bench) console(ctx context.Context) ([]figure, error) {
	run, live, err := b.consoleWorld(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare the console's server: %w", err)
	}
	taken := map[string]figure{}
	if err := b.sizes(ctx, taken); err != nil {
		return nil, err
	}
	for _, part := range []string{"cold", "quiet"} {
		if err := b.play(ctx, part, run, b.rounds, taken); err != nil {
			return nil, err
		}
	}
	for _, p := range []struct {
		part   string
		rounds int
	}{{"live", b.rounds}, {"long", 1}} {
		if err := b.whileRowsChange(ctx, live, func() error { return b.play(ctx, p.part, run, p.rounds, taken) }); err != nil {
			return nil, err
		}
	}
	figures := make([]figure, len(consoleBudgets))
	for i, f := range consoleBudgets {
		var ok bool
		if figures[i], ok = taken[f.name]; !ok {
			return nil, fmt.Errorf("%s was not measured", f.name)
		}
	}
	return figures, nil
}

// keep puts the medians of what was measured among the figures.
func keep(taken map[string]figure, got map[string][]float64) {
	for _, f := range consoleBudgets {
		if values := got[f.name]; len(values) > 0 {
			taken[f.name] = newFigure(f.name, median(values), f.unit, f.limit, 1)
		}
	}
}

// consoleWorld brings the repository to 100,000 Secrets and returns a run that wrote many keys, and an account whose
// resets change the first rows of the list.
func (b *bench) consoleWorld(ctx context.Context) (run, live string, err error) {
	if b.app == "" {
		if b.app, err = b.mapped(ctx, "bench", valueKey, b.targets); err != nil {
			return "", "", err
		}
		if _, err := b.reset(ctx, b.app); err != nil {
			return "", "", err
		}
	}
	page, err := b.client.Runs(ctx, client.RunFilter{Account: b.app, ListOptions: client.ListOptions{Limit: 1, Sort: "-created"}})
	if err != nil {
		return "", "", err
	}
	if len(page.Items) != 1 || page.Items[0].Keys != int64(b.targets) {
		return "", "", errors.New("the newest run did not write every key")
	}
	if live, err = b.mapped(ctx, "live", "config", liveRows); err != nil {
		return "", "", err
	}
	if err := b.server.stop(); err != nil {
		return "", "", err
	}
	begun := time.Now()
	if err := seed(ctx, b.options, filepath.Join(b.server.folder, "data")); err != nil {
		return "", "", fmt.Errorf("seed: %w", err)
	}
	say("console: seeded up to 100,000 Secrets in %.1f s (load %s)", time.Since(begun).Seconds(), load())
	if _, err := b.server.start(ctx); err != nil {
		return "", "", err
	}
	if err := sleep(ctx, checksTake); err != nil {
		return "", "", err
	}
	secrets, err := b.client.Secrets(ctx, client.SecretFilter{ListOptions: client.ListOptions{Limit: 1}})
	if err == nil && secrets.Total < allSecrets {
		err = fmt.Errorf("the repository has %d Secrets", secrets.Total)
	}
	return page.Items[0].ID, live, err
}

// whileRowsChange calls do while resets write liveRows keys at a time to the real cluster, so that rows change as they do
// at work: with a patch, a proof and an event each.
func (b *bench) whileRowsChange(ctx context.Context, account string, do func() error) error {
	resetting, stop := context.WithCancel(ctx)
	defer stop()
	var resets atomic.Int64
	begun, failed := time.Now(), make(chan error, 1)
	go func() {
		tick := time.NewTicker(liveEvery)
		defer tick.Stop()
		for resetting.Err() == nil {
			if _, err := b.reset(context.WithoutCancel(resetting), account); err != nil {
				failed <- err
				return
			}
			resets.Add(1)
			select {
			case <-resetting.Done():
			case <-tick.C:
			}
		}
		failed <- nil
	}()
	err := do()
	say("console: %.0f rows changed a second meanwhile", float64(resets.Load()*liveRows)/time.Since(begun).Seconds())
	stop()
	return errors.Join(err, <-failed)
}

// chromium is Debian's, which the console's tests use too.
const chromium = "/usr/bin/chromium"

// play runs one part of the browser's work and puts what it measured among the figures.
func (b *bench) play(ctx context.Context, part, run string, rounds int, taken map[string]figure) error {
	ctx, cancel := context.WithTimeout(ctx, consoleWithin)
	defer cancel()
	folder, err := filepath.Abs("console")
	if err != nil {
		return err
	}
	job, err := json.Marshal(map[string]any{
		"part": part, "rounds": rounds, "folder": b.dir, "url": "https://" + b.server.address, "name": adminName, "password": adminPassword, "console": folder,
		"chromium": chromium, "run": run, "keys": b.targets, "filters": consoleFilters, "handSeconds": handSeconds, "longSeconds": longSeconds,
	})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join("test", "bench", "console", "measure.mjs"))
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(job), &out, os.Stderr
	// The browser is a child of node: both go with their group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if err != nil {
		return fmt.Errorf("the browser's part %q: %w", part, err)
	}
	var got map[string][]float64
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return fmt.Errorf("the browser's part %q: %w", part, err)
	}
	keep(taken, got)
	say("console, %s: done (load %s)", part, load())
	return nil
}

// firstFile finds what index.html loads before anything is drawn.
var firstFile = regexp.MustCompile(`(?:src|href)="(/[^"]+\.(js|css))"`)

// sizes measures what a browser gets of the console before its first page, as it comes over the wire.
func (b *bench) sizes(ctx context.Context, taken map[string]figure) error {
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.server.roots, MinVersion: tls.VersionTLS12}}}
	defer web.CloseIdleConnections()
	get := func(path string) (body []byte, packed bool, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+b.server.address+path, nil)
		if err != nil {
			return nil, false, err
		}
		req.Header.Set("Accept-Encoding", "gzip") // set here, it is not undone on the way
		res, err := web.Do(req)
		if err != nil {
			return nil, false, err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return nil, false, fmt.Errorf("%s: the server answered %s", path, res.Status)
		}
		body, err = io.ReadAll(res.Body)
		return body, res.Header.Get("Content-Encoding") == "gzip", err
	}
	index, _, err := get("/login") // behind it each page's answer names the page's own parts too
	if err != nil {
		return err
	}
	sum := map[string]float64{}
	for _, m := range firstFile.FindAllSubmatch(index, -1) {
		body, packed, err := get(string(m[1]))
		if err != nil {
			return err
		}
		if !packed {
			return fmt.Errorf("%s is not compressed", m[1])
		}
		sum[string(m[2])] += float64(len(body)) / 1000
	}
	if sum["js"] == 0 || sum["css"] == 0 {
		return errors.New("the console is not built into the program: run `make build`")
	}
	keep(taken, map[string][]float64{"console_js_gzip": {sum["js"]}, "console_css_gzip": {sum["css"]}})
	return nil
}
