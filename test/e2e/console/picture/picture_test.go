package picture_test

import (
	"image"
	"image/color"
	"image/draw"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/e2e/console/picture"
)

// page is a picture of 10,000 pixels, of which the first n are red.
func page(n int) *image.Paletted {
	img := image.NewNRGBA(image.Rect(0, 0, 100, 100))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.NRGBA{246, 247, 249, 255}), image.Point{}, draw.Src)
	for i := range n {
		img.Set(i%100, i/100, color.NRGBA{255, 0, 0, 255})
	}
	return picture.Reduce(img)
}

func TestCompare(t *testing.T) {
	small := picture.Reduce(image.NewNRGBA(image.Rect(0, 0, 100, 90)))
	for name, c := range map[string]struct {
		taken, baseline *image.Paletted
		differ          int
		says            string // the error; empty for none
		drawn           bool
	}{
		"equal":                     {taken: page(50), baseline: page(50)},
		"0.09 %":                    {taken: page(9), baseline: page(0), differ: 9},
		"exactly 0.1 %":             {taken: page(10), baseline: page(0), differ: 10},
		"0.11 %":                    {taken: page(11), baseline: page(0), differ: 11, says: "0.11 %", drawn: true},
		"0.11 %, gone":              {taken: page(0), baseline: page(11), differ: 11, says: "0.11 %", drawn: true},
		"another size":              {taken: page(0), baseline: small, says: "it is (100,100) px, its baseline (100,90) px"},
		"a picture and no baseline": {taken: page(0), says: "no baseline"},
		"a baseline and no picture": {baseline: page(0), says: "no such picture"},
	} {
		t.Run(name, func(t *testing.T) {
			taken, baseline := map[string]*image.Paletted{}, map[string]*image.Paletted{}
			if c.taken != nil {
				taken["page"] = c.taken
			}
			if c.baseline != nil {
				baseline["page"] = c.baseline
			}
			found := picture.Compare(taken, baseline)
			if len(found) != 1 || found[0].Name != "page" {
				t.Fatalf("found %+v, want one finding of the page", found)
			}
			f := found[0]
			if f.Differ != c.differ || (f.Diff != nil) != c.drawn {
				t.Errorf("%d pixels differ, drawn: %v; want %d, %v", f.Differ, f.Diff != nil, c.differ, c.drawn)
			}
			if (f.Err == nil) != (c.says == "") || f.Err != nil && !strings.Contains(f.Err.Error(), c.says) {
				t.Errorf("says %v, want %q", f.Err, c.says)
			}
		})
	}
}

func TestCompareIsInOrderAndSeesAll(t *testing.T) {
	found := picture.Compare(map[string]*image.Paletted{"c": page(0), "a": page(0)}, map[string]*image.Paletted{"c": page(500), "b": page(0)})
	var names []string
	for _, f := range found {
		if f.Err == nil {
			t.Errorf("%s is said to be as it was", f.Name)
		}
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
}

// The tones that the console's pages are made of are told apart; what a font's rounding may do is not.
func TestReduceTellsTonesApart(t *testing.T) {
	of := func(c color.NRGBA) color.Color {
		img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
		img.Set(0, 0, c)
		return picture.Reduce(img).At(0, 0)
	}
	page, surface := color.NRGBA{0xf6, 0xf7, 0xf9, 255}, color.NRGBA{0xff, 0xff, 0xff, 255}
	if of(page) == of(surface) {
		t.Error("page and surface are one colour")
	}
	if of(color.NRGBA{0x1a, 0x22, 0x30, 255}) != of(color.NRGBA{0x1b, 0x23, 0x2f, 255}) {
		t.Error("one step of 255 is a difference")
	}
}

func TestReduceHasFewColoursAndIsStable(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 200, 200))
	for i := range 200 * 200 {
		img.Set(i%200, i/200, color.NRGBA{uint8(i % 251), uint8(i % 241), uint8(i % 239), 255})
	}
	once := picture.Reduce(img)
	if len(once.Palette) > 256 {
		t.Fatalf("%d colours", len(once.Palette))
	}
	if n := picture.Differ(once, picture.Reduce(once)); n != 0 {
		t.Errorf("%d pixels change when a reduced picture is reduced", n)
	}
}

func TestReplaceLeavesOnlyWhatWasTaken(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "baseline")
	for _, pictures := range []map[string]*image.Paletted{{"old": page(1), "both": page(2)}, {"both": page(3), "new": page(4)}} {
		size, err := picture.Replace(folder, pictures)
		if err != nil || size < 100 {
			t.Fatalf("%d bytes, %v", size, err)
		}
		stored, err := picture.Read(folder, "*")
		if err != nil {
			t.Fatal(err)
		}
		if len(stored) != len(pictures) {
			t.Errorf("%d pictures are stored, want %d", len(stored), len(pictures))
		}
		for _, f := range picture.Compare(pictures, stored) {
			if f.Err != nil || f.Differ != 0 {
				t.Errorf("%s: %d pixels differ after it was stored: %v", f.Name, f.Differ, f.Err)
			}
		}
	}
}
