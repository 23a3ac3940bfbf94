package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/internal/fault"
)

func TestRangesOfClusters(t *testing.T) {
	for given, want := range map[string]string{
		"": "[]", "127.0.0.0/8": "[127.0.0.0/8]", " 127.0.0.9/29 ,::1/128": "[127.0.0.8/29 ::1/128]", "0.0.0.0/0": "[0.0.0.0/0]",
		"169.254.0.0/16": "link-local", "fe80::/64": "link-local", "224.0.0.0/4": "multicast",
		"127.0.0.1": "such as", "localhost": "such as", "::ffff:127.0.0.0/104": "such as", "127.0.0.0/33": "such as",
	} {
		t.Setenv("KEYTURN_ALLOW_CLUSTER_CIDRS", given)
		c, err := Server{Data: t.TempDir()}.Complete()
		got := fmt.Sprint(c.ClusterRanges)
		if err != nil {
			got = fmt.Sprintf("%+v", err)
		}
		if got != want && (err == nil || !strings.Contains(cure(err), want)) {
			t.Errorf("%q: %s (%s), want %s", given, got, cure(err), want)
		}
	}
}

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	t.Setenv("KEYTURN_ALLOW_CLUSTER_CIDRS", "127.0.0.0/8")
	t.Setenv("KEYTURN_LOG_FORMAT", "json")
	t.Setenv("KEYTURN_LOG_LEVEL", "loud")
	c, err := Server{Data: t.TempDir(), LogLevel: "debug", AllowClusterCIDRs: []string{"::1/128"}}.Complete()
	if err != nil || fmt.Sprint(c.ClusterRanges) != "[::1/128]" || c.LogFormat != "json" || c.LogLevel != "debug" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := (Server{Data: t.TempDir()}).Complete(); err == nil {
		t.Error("a log level that is none was taken")
	}
}

// cure is everything that a person reads of err.
func cure(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Msg + " " + f.Cure
	}
	return fmt.Sprint(err)
}
