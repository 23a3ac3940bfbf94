package e2e

import (
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/test/e2e/console/picture"
)

var update = flag.Bool("update", false, "make the pictures of TestConsole and TestConsolePages those that later ones are compared with")

// album is a folder of pictures that later ones are compared with, and which of a test's pictures go there.
type album struct {
	folder, compared string
	most             int64 // bytes, for every clone has them
}

var (
	storyBaseline = album{filepath.Join("console", "baseline"), "*--1280", 3_000_000}
	pagesBaseline = album{filepath.Join("console", "baseline", "pages"), "*--light--1280", 4_000_000}
)

const (
	calibration = "calibration"

	// The browser itself rounds a pixel now and then; another font changes thousands of the calibration's.
	calibrationMost = 100
)

// comparePictures holds the pictures of a folder against the baselines, or with -update makes them the baselines. A machine
// whose fonts or browser draw otherwise cannot compare, and says so.
func comparePictures(t *testing.T, folder string, of album) {
	t.Helper()
	taken, err := picture.Read(folder, of.compared)
	must(t, err)
	machine, err := picture.Read(folder, calibration)
	must(t, err)
	if *update {
		maps.Copy(taken, machine)
		size, err := picture.Replace(of.folder, taken)
		must(t, err)
		t.Logf("%d pictures are the baselines now, %d bytes", len(taken), size)
		if size > of.most {
			t.Errorf("the baselines take %d bytes, at most %d may", size, of.most)
		}
		return
	}
	baseline, err := picture.Read(of.folder, "*")
	must(t, err)
	now, before := machine[calibration], baseline[calibration]
	delete(baseline, calibration)
	if now == nil || before == nil {
		t.Fatal("a picture of the calibration is missing: of the baselines' (run `make baseline`), or of this run")
	}
	if now.Rect != before.Rect || picture.Differ(now, before) > calibrationMost {
		t.Log("this machine draws text differently from the one that the baselines were made on: pictures are taken, not compared; run `make baseline` to compare with its own")
		return
	}
	reportPictures(t, folder, picture.Compare(taken, baseline))
}

// reportPictures fails the test for each picture that is not as it was, and draws where it is not.
func reportPictures(t *testing.T, folder string, findings []picture.Finding) {
	t.Helper()
	var differ []string // in what may differ, which is worth to know before it is too much
	for _, f := range findings {
		if f.Differ > 0 {
			differ = append(differ, fmt.Sprintf("%s in %d of %d pixels", f.Name, f.Differ, f.Pixels))
		}
		if f.Err == nil {
			continue
		}
		where := ""
		if f.Diff != nil {
			file, err := picture.Write(folder, f.Name+"--diff", f.Diff)
			must(t, err)
			where = "; see " + file
		}
		t.Errorf("%s is not as it was: %v%s. If it should be so, run `make baseline`", f.Name, f.Err, where)
	}
	t.Logf("%d pictures compared, %d are not equal to the pixel: %s", len(findings), len(differ), strings.Join(differ, ", "))
}
