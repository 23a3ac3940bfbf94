// Package config is what a server can be told, in one struct. Flags win over the environment, the environment over the
// defaults. No field holds a secret, except that Database may: give it through the environment then, not as an argument.
package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/internal/fault"
)

// Server says how `keyturn server` runs. The zero value is a server on this machine alone.
type Server struct {
	// Data is the folder of the embedded repository, the root key file and the server's own certificate (KEYTURN_DATA).
	// It is made with mode 0700. Default: keyturn in the user's data folder.
	Data string
	// Database is a postgres:// URL (KEYTURN_DATABASE). Empty: SQLite in Data.
	Database string
	// Listen is the address of the API and the console (KEYTURN_LISTEN). Default: 127.0.0.1:8443.
	Listen string
	// TLSCert and TLSKey are PEM files. Empty: a certificate that the server makes for itself.
	TLSCert, TLSKey string
	// PublicURL is how people reach the server, if not by the address it listens on.
	PublicURL string
	// RootKeyFile is where the root key is. Default: root.key in Data.
	RootKeyFile string
	// Passphrase makes the root key from a passphrase that somebody gives after each start, instead of a file.
	Passphrase bool
	// AllowLoopbackClusters permits API servers on this machine.
	AllowLoopbackClusters bool
	// AllowClusterCIDRs are ranges of loopback addresses, such as 127.0.0.0/29, in which API servers may be
	// (KEYTURN_ALLOW_CLUSTER_CIDRS, with commas between them). Private networks are open anyway; link-local addresses and
	// metadata services stay refused. Default: none.
	AllowClusterCIDRs []string
	// ClusterRanges are AllowClusterCIDRs as Complete read them.
	ClusterRanges []netip.Prefix
	// MetricsListen is the address for Prometheus (KEYTURN_METRICS_LISTEN), apart from where people are. Empty: none.
	MetricsListen string
	// SyncOnDemand leaves clusters alone until somebody asks for a sync. Otherwise they are followed, and CompareEvery is how
	// often everything of one is compared beside that (KEYTURN_COMPARE_EVERY). Default: 6 hours.
	SyncOnDemand bool
	CompareEvery time.Duration
	// ActorRate is how many requests a second one user or token is answered (KEYTURN_ACTOR_RATE), AnonymousRate how many
	// that nobody has signed from one address (KEYTURN_ANONYMOUS_RATE). 0: the API's own defaults.
	ActorRate, AnonymousRate int
	// LogFormat is text or json, LogLevel debug, info, warn or error.
	LogFormat, LogLevel string
	// Version is the program's.
	Version string
}

const (
	usualCompare    = 6 * time.Hour
	shortestCompare = time.Minute
)

// Complete fills in what is not set, from the environment and the defaults. It fails with fault.Invalid when two fields
// contradict each other.
func (c Server) Complete() (Server, error) {
	def := func(field *string, env, value string) {
		if *field == "" {
			*field = os.Getenv(env)
		}
		if *field == "" {
			*field = value
		}
	}
	def(&c.Data, "KEYTURN_DATA", defaultData())
	def(&c.Database, "KEYTURN_DATABASE", "")
	def(&c.Listen, "KEYTURN_LISTEN", "127.0.0.1:8443")
	def(&c.RootKeyFile, "KEYTURN_ROOT_KEY_FILE", filepath.Join(c.Data, "root.key"))
	def(&c.PublicURL, "KEYTURN_PUBLIC_URL", "")
	def(&c.MetricsListen, "KEYTURN_METRICS_LISTEN", "")
	def(&c.LogFormat, "KEYTURN_LOG_FORMAT", "text")
	def(&c.LogLevel, "KEYTURN_LOG_LEVEL", "info")
	bad := func(field, format string, args ...any) (Server, error) {
		return c, fault.New(fault.Invalid, format, args...).WithField(field)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return bad("tls-cert", "a certificate and its key belong together: give --tls-cert and --tls-key")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return bad("listen", "the address to listen on is not host:port")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return bad("log-format", "logs are text or json")
	}
	if c.Database != "" && !strings.HasPrefix(c.Database, "postgres://") && !strings.HasPrefix(c.Database, "postgresql://") {
		return bad("database", "the database is a postgres:// URL; without one SQLite is used")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return bad("log-level", "the log level is debug, info, warn or error")
	}
	if env := os.Getenv("KEYTURN_ALLOW_CLUSTER_CIDRS"); len(c.AllowClusterCIDRs) == 0 && env != "" {
		c.AllowClusterCIDRs = strings.Split(env, ",")
	}
	if err := c.readRates(); err != nil {
		return c, err
	}
	var err error
	if env := os.Getenv("KEYTURN_COMPARE_EVERY"); c.CompareEvery == 0 && env != "" {
		if c.CompareEvery, err = time.ParseDuration(env); err != nil {
			return bad("compare-every", "KEYTURN_COMPARE_EVERY is no time such as 6h")
		}
	}
	if c.CompareEvery < 0 || c.CompareEvery > 0 && c.CompareEvery < shortestCompare {
		return bad("compare-every", "comparing everything more often than every %s is more work than following a cluster", shortestCompare)
	}
	c.CompareEvery = cmp.Or(c.CompareEvery, usualCompare)
	c.ClusterRanges, err = ranges(c.AllowClusterCIDRs)
	return c, err
}

// ranges reads CIDRs that may be allowed: none that lies in what stays refused, as nothing would come of it.
func ranges(cidrs []string) ([]netip.Prefix, error) {
	bad := func(cause, cure string) error {
		return fault.New(fault.Invalid, "%s", cause).WithField("allow-cluster-cidr").WithCure("%s", cure)
	}
	var out []netip.Prefix
	for _, text := range cidrs {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil || p.Addr().Is4In6() {
			return nil, bad("an allowed range of addresses is not one", "write it as an address and the bits that count, such as 127.0.0.0/8 or ::1/128")
		}
		if p = p.Masked(); p.Addr().IsLinkLocalUnicast() || p.Addr().IsMulticast() {
			return nil, bad("the range "+p.String()+" is link-local or multicast, which is refused always",
				"leave it out; an API server has an address that other machines reach")
		}
		out = append(out, p)
	}
	return out, nil
}

// URL is where people reach the server that listens on address.
func (c Server) URL(address string) string {
	if c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "https://" + address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return fmt.Sprintf("https://%s", net.JoinHostPort(host, port))
}

func defaultData() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "keyturn")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "keyturn")
	}
	return "keyturn-data"
}

// Env returns a variable of the environment, empty if it is not set.
func Env(name string) string { return os.Getenv(name) }
