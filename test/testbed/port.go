package testbed

import (
	"fmt"
	"net"
	"strings"
)

// freePorts returns n different loopback ports that nobody listened on a moment ago.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // held until all are chosen, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// onFreePorts calls start with n free ports, and once more with others if somebody took one in between.
func onFreePorts(n int, start func(ports []int) error) error {
	var err error
	for range 2 {
		var ports []int
		if ports, err = freePorts(n); err != nil {
			return err
		}
		if err = start(ports); err == nil || !portTaken(err) {
			return err
		}
	}
	return err
}

// portTaken reports whether err, which carries the end of a server's output, tells of a port in use.
func portTaken(err error) bool {
	return strings.Contains(strings.ToLower(err.Error()), "address already in use")
}
