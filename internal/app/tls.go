package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

const (
	ownCertificate = 825 * 24 * time.Hour // the longest that browsers take
	renewBefore    = 30 * 24 * time.Hour
)

// certificate is what the server presents.
type certificate struct {
	tls.Certificate
	// Path is the PEM file, and SHA256 the leaf's fingerprint as people compare it. Own is true if the server made it.
	Path, SHA256 string
	Own          bool
}

// loadCertificate reads the certificate that was given, or the server's own in dir, which it makes for names when there is
// none, when it ends within a month, or when it is not for one of the names.
func loadCertificate(certFile, keyFile, dir string, names []string) (certificate, error) {
	if certFile != "" {
		c, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return certificate{}, fault.New(fault.Invalid, "the server's certificate cannot be used").WithField("tls-cert").
				WithCure("give PEM files of a certificate and its key: %s", strings.TrimPrefix(err.Error(), "tls: "))
		}
		return described(c, certFile, false)
	}
	dir = filepath.Join(dir, "tls")
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	c, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil && fits(c, names) {
		return described(c, certFile, true)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return certificate{}, fault.New(fault.Conflict, "the server's own certificate in %s cannot be read", dir).
			WithCure("delete the folder, and a new one is made")
	}
	if err := makeCertificate(dir, certFile, keyFile, names); err != nil {
		return certificate{}, fmt.Errorf("make the server's certificate: %w", err)
	}
	if c, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		return certificate{}, fmt.Errorf("load the server's certificate: %w", err)
	}
	return described(c, certFile, true)
}

func described(c tls.Certificate, path string, own bool) (certificate, error) {
	sum := sha256.Sum256(c.Certificate[0])
	return certificate{Certificate: c, Path: path, SHA256: hex.EncodeToString(sum[:]), Own: own}, nil
}

func fits(c tls.Certificate, names []string) bool {
	if time.Until(c.Leaf.NotAfter) < renewBefore {
		return false
	}
	for _, n := range names {
		if c.Leaf.VerifyHostname(n) != nil {
			return false
		}
	}
	return true
}

// makeCertificate writes a self-signed certificate, which is its own authority: whoever imports it trusts this server and
// nothing else, since it may sign no other.
func makeCertificate(dir, certFile, keyFile string, names []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Keyturn server"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ownCertificate),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// The key first: a certificate without its key would be taken for a broken folder.
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// certificateNames are those that people may use for a server that listens on address.
func certificateNames(address, publicURL string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	add := func(n string) {
		if n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			add(host)
		} else if own, err := os.Hostname(); err == nil {
			add(own)
		}
	}
	if u, ok := strings.CutPrefix(publicURL, "https://"); ok {
		host, _, _ := strings.Cut(u, "/")
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		add(host)
	}
	return names
}
