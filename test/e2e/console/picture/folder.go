package picture

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
)

const ending = ".png"

// Read returns the PNGs of a folder whose names, without their ending, match a pattern of path/filepath, reduced and by
// these names. A folder that is not there has none.
func Read(folder, pattern string) (map[string]*image.Paletted, error) {
	files, err := filepath.Glob(filepath.Join(folder, pattern+ending))
	if err != nil {
		return nil, err
	}
	out := map[string]*image.Paletted{}
	for _, file := range files {
		img, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ending)] = img
	}
	return out, nil
}

func read(file string) (*image.Paletted, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, err
	}
	return Reduce(img), nil
}

// Write stores a picture in a folder, which is made if need be, as a PNG of the best compression, and returns its file.
func Write(folder, name string, img image.Image) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(folder, name+ending)
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	return file, errors.Join(encoder.Encode(f, img), f.Close())
}

// Replace makes pictures the only PNGs of a folder and returns how many bytes they take.
func Replace(folder string, pictures map[string]*image.Paletted) (int64, error) {
	if err := Clear(folder); err != nil {
		return 0, err
	}
	var size int64
	for name, img := range pictures {
		file, err := Write(folder, name, img)
		if err != nil {
			return 0, err
		}
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}

// Clear removes the PNGs of a folder, which need not be there.
func Clear(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*"+ending))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}
