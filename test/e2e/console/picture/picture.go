// Package picture compares pictures of pages with those that were made before.
//
// A picture is reduced before it is kept or compared: 32 levels a channel and 256 colours at most. That makes it small,
// and it is the tolerance: what falls into the same level counts as equal.
package picture

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"maps"
	"slices"
)

const (
	levels  = 32  // of each channel, 8 of 255 apart
	colours = 256 // that a PNG with a palette can have

	// Allowed is the share of the pixels of a picture that may differ.
	Allowed = 0.001
)

// level is the step of a channel, of 0…255, that v is nearest to.
func level(v uint8) int { return (int(v)*(levels-1) + 127) / 255 }

// shade is the value of a level, 0…255.
func shade(level int) uint8 { return uint8((level*255 + (levels-1)/2) / (levels - 1)) }

// colourOf is the colour of a cell of the cube that the levels of red, green and blue make, in this order.
func colourOf(cell int) color.RGBA {
	return color.RGBA{shade(cell / levels / levels), shade(cell / levels % levels), shade(cell % levels), 255}
}

// Reduce returns img with 32 levels a channel and its 256 most frequent colours; the few pixels of other colours get the
// nearest of them. Equal pictures give equal results, and what is reduced stays as it is. Opacity is ignored.
func Reduce(img image.Image) *image.Paletted {
	size := img.Bounds().Size()
	plain := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(plain, plain.Rect, img, img.Bounds().Min, draw.Src)
	cells := make([]int, size.X*size.Y)
	var count [levels * levels * levels]int
	for i := range cells {
		p := plain.Pix[4*i:]
		cells[i] = (level(p[0])*levels+level(p[1]))*levels + level(p[2])
		count[cells[i]]++
	}
	palette, index := paletteOf(count[:])
	out := image.NewPaletted(plain.Rect, palette)
	for i, c := range cells {
		out.Pix[i] = index[c]
	}
	return out
}

// paletteOf chooses the most frequent colours and says which of them each cell that occurs gets.
func paletteOf(count []int) (color.Palette, []uint8) {
	var used []int
	for c, n := range count {
		if n > 0 {
			used = append(used, c)
		}
	}
	slices.SortStableFunc(used, func(a, b int) int { return cmp.Compare(count[b], count[a]) })
	palette, index := color.Palette{}, make([]uint8, len(count))
	for _, c := range used {
		if len(palette) < colours {
			palette = append(palette, colourOf(c))
			index[c] = uint8(len(palette) - 1)
			continue
		}
		index[c] = uint8(palette.Index(colourOf(c)))
	}
	return palette, index
}

// Differ counts the pixels in which two reduced pictures of one size differ.
func Differ(a, b *image.Paletted) int {
	n := 0
	for i := range a.Pix {
		if a.Palette[a.Pix[i]] != b.Palette[b.Pix[i]] {
			n++
		}
	}
	return n
}

// Draw shows in red where b differs from a, a reduced picture of its size, on a faded a.
func Draw(a, b *image.Paletted) image.Image {
	out := image.NewRGBA(a.Rect)
	for i := range a.Pix {
		c := a.Palette[a.Pix[i]]
		drawn := color.RGBA{255, 0, 0, 255}
		if c == b.Palette[b.Pix[i]] {
			grey := 160 + color.GrayModel.Convert(c).(color.Gray).Y/4
			drawn = color.RGBA{grey, grey, grey, 255}
		}
		out.SetRGBA(i%a.Rect.Dx(), i/a.Rect.Dx(), drawn)
	}
	return out
}

// Finding is what a comparison says of one picture.
type Finding struct {
	Name string
	// Differ of Pixels differ.
	Differ, Pixels int
	// Diff shows where, when Err is set and the sizes are equal.
	Diff image.Image
	// Err says why the picture is not as it was; nil when it is.
	Err error
}

// Compare holds each reduced picture against the baseline of its name. Both sets must have the same names. The findings
// are in the order of the names.
func Compare(taken, baseline map[string]*image.Paletted) []Finding {
	all := maps.Clone(baseline)
	maps.Copy(all, taken)
	var out []Finding
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := Finding{Name: name}
		now, before := taken[name], baseline[name]
		switch {
		case before == nil:
			f.Err = errors.New("it has no baseline")
		case now == nil:
			f.Err = errors.New("there is a baseline, but no such picture was taken")
		case now.Bounds() != before.Bounds():
			f.Err = fmt.Errorf("it is %s px, its baseline %s px", now.Bounds().Size(), before.Bounds().Size())
		default:
			f.Pixels, f.Differ = len(now.Pix), Differ(now, before)
			if float64(f.Differ) > Allowed*float64(f.Pixels) {
				f.Diff = Draw(now, before)
				f.Err = fmt.Errorf("%d of %d pixels differ: %.2f %%, at most %.1f %% may", f.Differ, f.Pixels, 100*float64(f.Differ)/float64(f.Pixels), 100*Allowed)
			}
		}
		out = append(out, f)
	}
	return out
}
