package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/keyturn/keyturn/internal/vault"
)

// File keeps the root key in a file of its own, mode 0600 or 0400, owned by the user that runs Keyturn or by root: 64
// hex digits and a newline. A file of exactly 32 raw bytes is read as well, as other tools make it.
//
// Whoever has a copy of this file and of the repository has every value: the two do not belong in one backup.
type File struct{ path string }

// NewFile returns the source that keeps the root key at path. It touches nothing.
func NewFile(path string) File { return File{path: path} }

// Root implements [Source].
func (f File) Root(context.Context) (vault.RootKey, error) {
	b, err := readPrivate(f.path)
	if err != nil {
		return vault.RootKey{}, err
	}
	defer clear(b)
	key := make([]byte, vault.KeyLen)
	if len(b) == vault.KeyLen {
		copy(key, b)
	} else if text := bytes.TrimSpace(b); len(text) != hex.EncodedLen(vault.KeyLen) || !decoded(key, text) {
		return vault.RootKey{}, malformed(f.path, fmt.Sprintf("it should be %d hex digits", hex.EncodedLen(vault.KeyLen)))
	}
	root, err := vault.NewRootKey(key)
	if err != nil {
		return vault.RootKey{}, malformed(f.path, "it is not random")
	}
	return root, nil
}

// Create implements [Source]. The folder must exist.
func (f File) Create(context.Context) (vault.RootKey, error) {
	key := make([]byte, vault.KeyLen)
	if _, err := rand.Read(key); err != nil {
		return vault.RootKey{}, fmt.Errorf("create root key: %w", err)
	}
	text := make([]byte, hex.EncodedLen(len(key)), hex.EncodedLen(len(key))+1)
	hex.Encode(text, key)
	text = append(text, '\n')
	defer clear(text)
	if err := createPrivate(f.path, text); err != nil {
		return vault.RootKey{}, err
	}
	return vault.NewRootKey(key)
}

// decoded reports whether text is hex and fills key with it; the error of package hex would name a digit.
func decoded(key, text []byte) bool {
	_, err := hex.Decode(key, text)
	return err == nil
}
