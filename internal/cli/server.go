package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// ServerOptions are the flags of "keyturn server". An empty one was not given; what is the default then is for the
// server to say.
type ServerOptions struct {
	Data                  string // directory of the embedded repository, the root key file and the certificate
	Database              string // postgres://…, in place of the embedded one
	Listen                string // host:port
	TLSCert, TLSKey       string // files; both or neither
	AllowLoopbackClusters bool
	AllowClusterCIDRs     []string // ranges that are refused otherwise
	RootKeyFile           string
	Passphrase            bool // the root key is derived from a passphrase that unseals
	LogFormat             string
	LogLevel              string
	PublicURL             string
	MetricsListen         string
	SyncOnDemand          bool          // clusters are not followed
	CompareEvery          time.Duration // 0: the server's default
}

func (k *command) serverCommand() *cobra.Command {
	var o ServerOptions
	c := k.act("server [--data DIR | --database URL] …", "Run the server", 0, 0, func(ctx context.Context, _ []string) error {
		if err := o.check(k.Env); err != nil {
			return err
		}
		return k.Server(ctx, o)
	})
	c.Long = "Run the server. What is not given as a flag is taken from the environment: KEYTURN_DATA, KEYTURN_DATABASE (which\n" +
		"keeps a password out of the list of processes), KEYTURN_LISTEN, KEYTURN_PUBLIC_URL, KEYTURN_ROOT_KEY_FILE,\n" +
		"KEYTURN_METRICS_LISTEN, KEYTURN_COMPARE_EVERY, KEYTURN_ALLOW_CLUSTER_CIDRS, KEYTURN_ACTOR_RATE, KEYTURN_ANONYMOUS_RATE, KEYTURN_LOG_FORMAT\n" +
		"and KEYTURN_LOG_LEVEL."
	f := c.Flags()
	f.StringVar(&o.Data, "data", "", "directory of the repository, the root key file and the certificate")
	f.StringVar(&o.Database, "database", "", "PostgreSQL to use in place of the embedded repository, as postgres://…")
	f.StringVar(&o.Listen, "listen", "", "address to serve HTTPS on (default 127.0.0.1:8443)")
	f.StringVar(&o.TLSCert, "tls-cert", "", "file with the certificate chain (default: one is made)")
	f.StringVar(&o.TLSKey, "tls-key", "", "file with the certificate's key")
	f.BoolVar(&o.AllowLoopbackClusters, "allow-loopback-clusters", false, "let clusters be on this machine")
	f.StringSliceVar(&o.AllowClusterCIDRs, "allow-cluster-cidr", nil,
		"let clusters be in this range though it is loopback, such as 127.0.0.0/29; may be repeated")
	f.StringVar(&o.RootKeyFile, "root-key-file", "", "file with the root key (default root.key in --data)")
	f.BoolVar(&o.Passphrase, "passphrase", false, "derive the root key from a passphrase; the server starts sealed")
	f.StringVar(&o.LogFormat, "log-format", "", "text or json (default text)")
	f.StringVar(&o.LogLevel, "log-level", "", "debug, info, warn or error (default info)")
	f.StringVar(&o.PublicURL, "public-url", "", "address by which people reach the server")
	f.StringVar(&o.MetricsListen, "metrics-listen", "", "address to serve metrics on (default: none)")
	f.BoolVar(&o.SyncOnDemand, "sync-on-demand", false, "do not follow clusters: changes are brought by keyturn cluster sync only")
	f.DurationVar(&o.CompareEvery, "compare-every", 0, "how often everything of a followed cluster is compared, to be sure (default 6h)")
	c.AddCommand(k.nextRootKey())
	return c
}

func (k *command) nextRootKey() *cobra.Command {
	var o ServerOptions
	c := k.act("next-root-key [--data DIR | --root-key-file F]", "Make the root key that is to take the place of the present one, on the server's machine", 0, 0,
		func(ctx context.Context, _ []string) error {
			if o.Data == "" && o.RootKeyFile == "" && k.Env("KEYTURN_DATA") == "" && k.Env("KEYTURN_ROOT_KEY_FILE") == "" {
				return usage("--data or --root-key-file is needed: the one that the server has")
			}
			file, err := k.NextRootKey(ctx, o)
			if err != nil {
				return err
			}
			k.done("The next root key is made; nothing uses it yet. Put a copy where the backups of the root key are, and one beside the root key of every other server; then run keyturn key root.")
			_, err = fmt.Fprintln(k.Out, file)
			return err
		})
	c.Long = "The new key gets the name of the present one with .next behind it, mode 0600. The server may run meanwhile. See docs/keys.md."
	c.Flags().StringVar(&o.Data, "data", "", "directory of the server's root key file")
	c.Flags().StringVar(&o.RootKeyFile, "root-key-file", "", "the server's root key file (default root.key in --data)")
	return c
}

// check refuses flags that contradict each other. What the environment says counts for what was not given.
func (o ServerOptions) check(env func(string) string) error {
	switch {
	case (o.TLSCert == "") != (o.TLSKey == ""):
		return usage("--tls-cert and --tls-key go together")
	case o.Passphrase && o.RootKeyFile != "":
		return usage("--passphrase and --root-key-file exclude each other")
	case o.Data == "" && o.Database == "" && env("KEYTURN_DATA") == "" && env("KEYTURN_DATABASE") == "":
		return usage("--data or --database is needed")
	case o.CompareEvery < 0:
		return usage("--compare-every is a time, such as 6h")
	case !slices.Contains([]string{"", "text", "json"}, o.LogFormat):
		return usage("--log-format is text or json")
	case !slices.Contains([]string{"", "debug", "info", "warn", "error"}, o.LogLevel):
		return usage("--log-level is debug, info, warn or error")
	}
	return nil
}

func (k *command) versionCommand() *cobra.Command {
	return k.act("version", "Print the version", 0, 0, func(context.Context, []string) error {
		if !k.tableOutput() && k.output != "name" {
			return k.document(map[string]string{"version": k.Version})
		}
		_, err := fmt.Fprintln(k.Out, k.Version)
		return err
	})
}
