// Command sbom writes the bill of materials of a built keyturn as CycloneDX JSON: the Go modules that the binary itself says
// it holds, and the packages of the console that is in it. The same binary gives the same bill; nothing is asked for over a
// network. Usage: sbom BINARY PACKAGE-LOCK
package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom BINARY PACKAGE-LOCK")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(binary, lock string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read what %s is made of: %w", binary, err)
	}
	packages, err := os.ReadFile(lock)
	if err != nil {
		return err
	}
	doc, err := bill(info, packages)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(doc, '\n'))
	return err
}
