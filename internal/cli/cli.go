package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyturn/keyturn/client"
)

// Streams is everything that a command touches beside its arguments.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Env returns a variable of the environment. Read are KEYTURN_URL, KEYTURN_TOKEN, KEYTURN_CACERT, XDG_CONFIG_HOME
	// and HOME.
	Env func(string) string
	// Server runs the server until ctx ends.
	Server func(ctx context.Context, o ServerOptions) error
	// NextRootKey makes the root key that is to take the place of a server's present one, on this machine, and returns its
	// file.
	NextRootKey func(ctx context.Context, o ServerOptions) (file string, err error)
	// Version is what "keyturn version" prints.
	Version string
}

// The exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRefused  = 3
	exitNotFound = 4
	exitConflict = 5
)

// Run carries out one command and returns its exit code: 0 done, 1 failed, 2 usage, 3 refused, 4 not found, 5 conflict.
// args do not contain the program's name. What went wrong stands on s.Err when it returns.
func Run(ctx context.Context, args []string, s Streams) int {
	k := &command{Streams: s, now: time.Now, poll: 300 * time.Millisecond}
	return k.run(ctx, args)
}

func (k *command) run(ctx context.Context, args []string) int {
	root := k.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !k.started {
		err = asUsage(err)
	}
	if err != nil {
		k.explain(err)
	}
	return exitCode(err)
}

// command is one invocation.
type command struct {
	Streams
	now  func() time.Time
	poll time.Duration // between looks at what the server does

	server    string // --server
	output    string // -o
	noHeaders bool
	started   bool // the arguments were good, the command's own work began
}

func (k *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "keyturn",
		Short:         "Turn the credentials that live in Kubernetes Secrets, and prove it",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(k.In)
	root.SetOut(k.Out)
	root.SetErr(k.Err)
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVar(&k.server, "server", "", "address of the Keyturn server (default $KEYTURN_URL, or that of the last login)")
	flags.StringVarP(&k.output, "output", "o", "table", "table, wide, json, yaml or name")
	flags.BoolVar(&k.noHeaders, "no-headers", false, "tables without their first line")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(
		k.serverCommand(), k.unsealCommand(), k.setupCommand(), k.loginCommand(), k.logoutCommand(), k.whoamiCommand(), k.versionCommand(),
		k.clusterCommands(), k.resourceCommands(), k.accountCommands(), k.mappingCommands(), k.conflictCommands(), k.rotationCommands(), k.policyCommands(), k.scheduleCommands(),
		k.auditCommands(), k.restoreCommands(), k.secretCommands(), k.leakCommands(), k.keyCommands(), k.userCommands(), k.groupCommands(), k.grantCommands(), k.tokenCommands(),
	)
	finish(root)
	return root
}

// group is a command that only holds others.
func (k *command) group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			c.SetOut(k.Err)
			_ = c.Help()
			return usage("name a command of %s", use)
		}
		return usage("%s has no such command; see keyturn %s --help", use, use)
	}}
	c.AddCommand(commands...)
	return c
}

// act makes a command that takes between least and most arguments.
func (k *command) act(use, short string, least, most int, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, DisableFlagsInUseLine: true,
		ValidArgsFunction: cobra.NoFileCompletions,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < least || len(args) > most {
				return usage("it is used as: keyturn … %s", use) // the arguments are not repeated: one may be a value
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(formats, k.output) {
				return usage("-o is one of table, wide, json, yaml and name")
			}
			k.started = true
			return run(c.Context(), args)
		},
	}
}

// call is act for a command that speaks to the server.
func (k *command) call(use, short string, least, most int,
	run func(ctx context.Context, api *client.Client, args []string) error) *cobra.Command {
	return k.act(use, short, least, most, func(ctx context.Context, args []string) error {
		api, err := k.connect()
		if err != nil {
			return err
		}
		return run(ctx, api, args)
	})
}

// usageError is a command that was not written as it has to be.
type usageError struct{ msg, cure string }

func (u *usageError) Error() string { return u.msg }

func usage(format string, args ...any) error { return &usageError{msg: fmt.Sprintf(format, args...)} }

// asUsage is for what cobra found wrong before the command began.
func asUsage(err error) error {
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	return &usageError{msg: err.Error()}
}

// flagError says what is wrong with a flag without repeating what was given for it: somebody may have put a password
// where the name of a file belongs.
func flagError(c *cobra.Command, err error) error {
	see := "; see " + c.CommandPath() + " --help"
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if unknown.GetSpecifiedShortnames() != "" {
			return usage("there is no such short flag%s", see)
		}
		return usage("there is no flag --%s%s", unknown.GetSpecifiedName(), see)
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usage("--%s needs a value of the form %s%s", bad.GetFlag().Name, bad.GetFlag().Value.Type(), see)
	}
	if lacks, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--%s needs a value%s", lacks.GetSpecifiedName(), see)
	}
	return usage("the flags cannot be read%s", see)
}

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	p, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return exitFailed
	}
	switch p.Status {
	case 401, 403:
		return exitRefused
	case 404:
		return exitNotFound
	case 409, 412, 428:
		return exitConflict
	}
	return exitFailed
}
