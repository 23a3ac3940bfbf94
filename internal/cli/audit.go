package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/client"
	"github.com/keyturn/keyturn/client/state"
	"github.com/keyturn/keyturn/internal/audit"
)

func (k *command) auditCommands() *cobra.Command {
	return k.group("audit", "The log of who did what", k.auditList(), k.auditVerify(), k.auditExport())
}

func (k *command) eventView() view[client.AuditEvent] {
	type row = client.AuditEvent
	return view[row]{
		name: func(e row) string { return e.ID },
		columns: []column[row]{
			{head: "SEQ", cell: func(e row) string {
				if e.Seq < 0 {
					return none
				}
				return fmt.Sprint(e.Seq)
			}},
			{head: "AT", cell: func(e row) string { return instant(e.At) }},
			{head: "WHO", cell: func(e row) string { return e.Actor }, flexible: true},
			{head: "ACTION", cell: func(e row) string { return e.Action }, flexible: true},
			{head: "OBJECT", cell: func(e row) string { return e.Object }, flexible: true},
			{head: "OUTCOME", cell: func(e row) string { return e.Outcome }},
			{head: "REASON", cell: func(e row) string { return e.Reason }, wide: true},
			{head: "VIA", cell: func(e row) string { return e.Via }, wide: true},
			{head: "FROM", cell: func(e row) string { return e.Address }, wide: true},
			{head: "DETAILS", cell: func(e row) string { return pairs(e.Details) }, wide: true},
		},
	}
}

func (k *command) auditList() *cobra.Command {
	var filter client.AuditFilter
	var limit int
	c := k.call("list [--actor ID] [--action A] [--object ID] [--outcome O] [--from T] [--to T] [--limit N]",
		"List events, newest first", 0, 0, func(ctx context.Context, api *client.Client, _ []string) error {
			filter.Limit = pageSize
			if limit > 0 {
				filter.Limit = min(limit, pageSize)
			}
			rows, sum, err := collect(limit, func(cursor string) (client.Page[client.AuditEvent], error) {
				filter.Cursor = cursor
				return api.AuditEvents(ctx, filter)
			})
			if err != nil {
				return err
			}
			return printList(k, k.eventView(), rows, sum)
		})
	f := c.Flags()
	f.StringVar(&filter.Actor, "actor", "", "only what this actor did, by id")
	f.StringVar(&filter.Action, "action", "", "only this action, such as account.reveal")
	f.StringVar(&filter.Kind, "kind", "", "only objects of this kind")
	f.StringVar(&filter.Object, "object", "", "only this object, by id")
	f.StringVar(&filter.Run, "run", "", "only this run")
	f.StringVar(&filter.Outcome, "outcome", "", "allowed, refused or failed")
	f.StringVar(&filter.From, "from", "", "not before this time: RFC 3339, or a span before now such as -24h")
	f.StringVar(&filter.To, "to", "", "before this time")
	f.IntVar(&limit, "limit", 100, "show at most so many, 0 for all")
	_ = c.RegisterFlagCompletionFunc("outcome", cobra.FixedCompletions([]string{"allowed", "refused", "failed"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (k *command) auditVerify() *cobra.Command {
	var file, key string
	c := k.act("verify [--file EXPORT [--key KEY]]", "Check the whole log, or an export without a server", 0, 0,
		func(ctx context.Context, _ []string) error {
			if file != "" {
				return k.verifyExport(file, key)
			}
			if key != "" {
				return usage("--key goes with --file; the server checks with its own")
			}
			api, err := k.connect()
			if err != nil {
				return err
			}
			v, err := api.VerifyAudit(ctx)
			if err != nil {
				return err
			}
			return k.printVerification(v)
		})
	c.Flags().StringVar(&file, "file", "", "an export to check without a server, - for standard input")
	c.Flags().StringVar(&key, "key", "", "the log's public key, which \"audit verify\" printed and you kept")
	_ = c.MarkFlagFilename("file")
	return c
}

func (k *command) printVerification(v client.AuditVerification) error {
	bad := ""
	if v.Bad >= 0 && v.State == "broken" {
		bad = strconv.FormatInt(v.Bad, 10)
	}
	facts := []fact{
		{"log", word(state.AuditLog, v.State)}, {"entries", fmt.Sprint(v.Entries)}, {"first bad entry", bad},
		{"key", v.Key}, {"signed", instantOf(v.SignedAt)}, {"not in the tree yet", fmt.Sprint(v.Unsequenced)},
	}
	for _, r := range v.Restored {
		facts = append(facts, fact{"restored", r})
	}
	head := ""
	if v.Head != "" && k.tableOutput() {
		head = cleanLines(v.Head)
	}
	if err := printOne(k, v, v.State, facts, head); err != nil {
		return err
	}
	if v.State != "intact" {
		return failed("the audit log is "+word(state.AuditLog, v.State), fact{"cause", v.Reason}, fact{"cure", v.Cure})
	}
	return nil
}

// offline is what the check of an export printed as a document.
type offline struct {
	client.AuditVerification
	Withheld   int64 `json:"withheld"`
	SelfSigned bool  `json:"selfSigned"` // checked with the export's own key
}

func (k *command) verifyExport(path, key string) error {
	in := k.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("read the export: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r, err := audit.VerifyExport(in, audit.Trust{Key: key})
	if err != nil {
		return err
	}
	out := offline{SelfSigned: r.SelfSigned, Withheld: r.Withheld,
		AuditVerification: client.AuditVerification{State: "intact", Entries: r.Entries, Bad: -1, Head: string(r.Head.Signed)}}
	facts := []fact{{"log", "intact"}, {"entries", fmt.Sprint(r.Entries)}}
	if r.Bad != nil {
		out.State, out.Reason = "broken", r.Bad.String()
		if r.Bad.Exact() {
			out.Bad = r.Bad.From
		}
		facts = []fact{{"log", "broken"}}
	}
	if r.Withheld > 0 {
		facts = append(facts, fact{"withheld", fmt.Sprintf("%d entries are shown by their hash only", r.Withheld)})
	}
	facts = append(facts, fact{"signed heads", fmt.Sprint(r.Checkpoints)})
	if err := printOne(k, out, out.State, facts); err != nil {
		return err
	}
	if r.SelfSigned {
		k.done("Checked with the export's own key: it is consistent, whoever made it. With --key it is proved whose it is.")
	}
	if r.Bad != nil {
		return failed("the export is not what the log's key signed", fact{"cause", out.Reason},
			fact{"cure", "keep the file as evidence, export again, and compare"})
	}
	return nil
}

func (k *command) auditExport() *cobra.Command {
	var from, to int64
	var file string
	c := k.call("export [--from SEQ] [--to SEQ] [--file F]", "Write entries so that they can be proved without a server", 0, 0,
		func(ctx context.Context, api *client.Client, _ []string) error {
			if from < 0 || to < 0 || to > 0 && to <= from {
				return usage("--from and --to are no range of entries")
			}
			if file == "" {
				return api.AuditExport(ctx, k.Out, from, to)
			}
			return exportTo(file, func(w io.Writer) error { return api.AuditExport(ctx, w, from, to) })
		})
	c.Flags().Int64Var(&from, "from", 0, "number of the first entry")
	c.Flags().Int64Var(&to, "to", 0, "number of the entry after the last (default all there are)")
	c.Flags().StringVar(&file, "file", "", "write it here in place of standard output; there must be no such file")
	return c
}

// exportTo writes a new file and leaves none behind when that fails: a part would be taken for a log that was cut.
func exportTo(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}
