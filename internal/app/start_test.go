package app

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/config"
	"github.com/keyturn/keyturn/internal/fault"
)

// TestAServerThatCannotStartSaysWhy meets what a person meets first.
func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := filepath.Join(t.TempDir(), "file")
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), os.Mkdir(open, 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		cfg         config.Server
		cause, cure string
	}{
		"a port in use":              {config.Server{Listen: taken.Addr().String()}, "cannot listen on " + taken.Addr().String(), "stop what listens there"},
		"an address of another":      {config.Server{Listen: "192.0.2.1:8443"}, "cannot listen on 192.0.2.1", "an address of this machine"},
		"no port":                    {config.Server{Listen: "127.0.0.1:many"}, "cannot listen", "HOST:PORT"},
		"no folder":                  {config.Server{Data: file + "/x"}, "cannot be made", "--data"},
		"a folder open to others":    {config.Server{Data: open}, "entered by others", "chmod 700"},
		"no such certificate":        {config.Server{TLSCert: file + "x", TLSKey: file}, "certificate cannot be used", "PEM"},
		"a certificate that is none": {config.Server{TLSCert: file, TLSKey: file}, "certificate cannot be used", "PEM"},
	} {
		if tt.cfg.Data == "" {
			tt.cfg.Data = filepath.Join(t.TempDir(), "data")
		}
		if tt.cfg.Listen == "" {
			tt.cfg.Listen = "127.0.0.1:0"
		}
		err := Serve(t.Context(), tt.cfg, io.Discard, slog.New(slog.DiscardHandler))
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || !strings.Contains(f.Msg, tt.cause) || !strings.Contains(f.Cure, tt.cure) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
