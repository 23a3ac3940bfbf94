package kube

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/internal/fault"
)

// The connector's own objects in every cluster.
const (
	ConnectorNamespace = "keyturn"
	ConnectorAccount   = "keyturn"
	ConnectorToken     = "keyturn-token"
	// ConnectorSecondToken is where the next long-lived token is made; the two take turns.
	ConnectorSecondToken = "keyturn-token-2"
)

// Scope is what a connector may reach and do.
type Scope struct {
	WholeCluster bool
	Namespaces   []string // used unless WholeCluster
	ReadWrite    bool     // may patch Secrets
	Restart      bool     // may restart workloads
	PortForward  bool     // may connect to ports of pods and services
	Renew        bool     // may renew its own long-lived token
	Replace      bool     // may make Secrets in place of immutable ones and of tokens, name them where those were named, and delete those
}

// Right is one verb on one resource. An empty Namespace is the whole cluster; an empty Name is every object.
type Right struct {
	Verb, Group, Resource, Subresource, Namespace, Name string
}

// String returns the right as a person would say it.
func (r Right) String() string {
	s := r.Verb + " " + r.Resource
	if r.Subresource != "" {
		s += "/" + r.Subresource
	}
	if r.Name != "" {
		s += " " + r.Name
	}
	if r.Namespace != "" {
		s += " in namespace " + r.Namespace
	}
	return s
}

// rule is one RBAC rule with its reason.
type rule struct {
	why, group       string
	resources, verbs []string
	names            []string
}

// role is a set of rules in one namespace, or in the whole cluster when namespace is "".
type role struct {
	name, namespace string
	rules           []rule
}

func (s Scope) namespaces() []string {
	ns := slices.Clone(s.Namespaces)
	slices.Sort(ns)
	return slices.Compact(ns)
}

// Validate returns fault.Invalid unless the scope names the whole cluster or at least one well-formed namespace. To replace
// Secrets is to write them and to restart what reads them.
func (s Scope) Validate() error {
	if s.Replace && (!s.ReadWrite || !s.Restart) {
		return fault.New(fault.Invalid, "a connector replaces immutable Secrets only if it may write Secrets and restart workloads").
			WithField("replace").WithCure("choose read-write access and restarts too")
	}
	if s.WholeCluster {
		return nil
	}
	if len(s.Namespaces) == 0 {
		return fault.New(fault.Invalid, "no namespace is chosen").WithField("namespaces").WithCure("name one, or choose the whole cluster")
	}
	label := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	for i, ns := range s.Namespaces {
		if !label.MatchString(ns) {
			return fault.New(fault.Invalid, "number %d of the namespaces is not a namespace's name", i+1).WithField("namespaces").
				WithCure("use lower-case letters, digits and dashes")
		}
	}
	return nil
}

// roles is the one source of the manifest and of the check.
func (s Scope) roles() []role {
	read := func(verbs ...string) []string { return append([]string{"get", "list", "watch"}, verbs...) }
	secrets, workloads := read(), read()
	secretsWhy := "Read Secrets and notice their changes."
	if s.ReadWrite {
		secrets = read("patch")
		secretsWhy = "Read Secrets, notice their changes, and set single keys."
		if !s.Replace {
			secretsWhy += " Neither create nor delete."
		}
	}
	workloadsWhy := "See which workloads read a Secret."
	if s.Restart {
		workloads = read("patch")
		workloadsWhy = "See which workloads read a Secret, and restart them by a mark in their pod template."
	}
	rules := []rule{
		{secretsWhy, "", []string{"secrets"}, secrets, nil},
		{workloadsWhy, "apps", []string{"daemonsets", "deployments", "statefulsets"}, workloads, nil},
		{"Prove which pods still run on an old value.", "", []string{"pods"}, read(), nil},
	}
	if s.Restart {
		rules = append(rules, restartRules()...)
	}
	if s.Replace {
		rules = append(rules, replaceRules()...)
	}
	if s.PortForward {
		rules = append(rules, portForwardRules()...)
	}
	var out []role
	if s.WholeCluster {
		rules = append(rules, rule{"Offer the namespaces to choose from, and know the cluster again by the uid of kube-system.",
			"", []string{"namespaces"}, []string{"get", "list"}, nil})
		out = append(out, role{"keyturn", "", rules})
	} else {
		out = append(out, role{"keyturn-cluster-id", "", []rule{{"Know the cluster again by the uid of kube-system.",
			"", []string{"namespaces"}, []string{"get"}, []string{"kube-system"}}}})
		for _, ns := range s.namespaces() {
			out = append(out, role{"keyturn", ns, rules})
		}
	}
	own := []rule{{"Work with short tokens of this account in place of the long-lived one.",
		"", []string{"serviceaccounts/token"}, []string{"create"}, []string{ConnectorAccount}}}
	if s.Renew {
		own = append(own,
			rule{"Make the next long-lived token. Nothing but Keyturn should live in this namespace: a token can be made of each of its accounts.",
				"", []string{"secrets"}, []string{"create"}, nil},
			rule{"Read the next long-lived token, and remove the one before.",
				"", []string{"secrets"}, []string{"get", "delete"}, []string{ConnectorToken, ConnectorSecondToken}})
	}
	out = append(out, role{"keyturn-token", ConnectorNamespace, own})
	if s.ReadWrite {
		out = append(out, role{ConnectorEpoch, ConnectorNamespace, epochRules()})
	}
	return out
}

// restartRules are the rights to find all who read a Secret, to restart them and to prove the end of it, beyond those that
// every connector has.
func restartRules() []rule {
	list := []string{"list"}
	return []rule{
		{"Restart Rollouts of Argo Rollouts by a mark in their pod template, and see the end of it. Without Argo Rollouts it gives nothing.",
			"argoproj.io", []string{"rollouts"}, []string{"get", "list", "watch", "patch"}, nil},
		{"Know which pods belong to which workload.", "apps", []string{"replicasets"}, []string{"list", "watch"}, nil},
		{"See which jobs read a Secret.", "batch", []string{"cronjobs", "jobs"}, list, nil},
		{"See which accounts pull images with a Secret.", "", []string{"serviceaccounts"}, list, nil},
		{"See which hosts are served with a Secret's certificate.", "networking.k8s.io", []string{"ingresses"}, list, nil},
		{"See before a restart whether it would go below what a budget protects.", "policy", []string{"poddisruptionbudgets"}, list, nil},
	}
}

// replaceRules are the rights to put a Secret of a new name in the place of an immutable one, or of one that holds a token, beyond those to restart what
// reads it.
func replaceRules() []rule {
	return []rule{
		{"Make a Secret of a new name in place of an immutable one or of a ServiceAccount's token, and delete that when nothing names it any more. Whoever may make Secrets can make a token of each account here.",
			"", []string{"secrets"}, []string{"create", "delete"}, nil},
		{"Name the new Secret in jobs that start later.", "batch", []string{"cronjobs"}, []string{"get", "patch"}, nil},
		{"Name the new Secret in accounts that pull images with it.", "", []string{"serviceaccounts"}, []string{"get", "patch"}, nil},
		{"Name the new Secret for hosts that are served with its certificate.", "networking.k8s.io", []string{"ingresses"}, []string{"get", "patch"}, nil},
	}
}

// portForwardRules are the rights to connect to what runs in the cluster.
func portForwardRules() []rule {
	return []rule{
		{"Connect to ports of pods, to change accounts of systems that only the cluster reaches. It reaches every port of every pod here.",
			"", []string{"pods/portforward"}, []string{"create"}, nil},
		{"Know to which port of a pod a service leads.", "", []string{"services"}, []string{"get"}, nil},
		{"Find a ready pod behind a service.", "discovery.k8s.io", []string{"endpointslices"}, []string{"list"}, nil},
	}
}

func (r role) rights() []Right {
	var out []Right
	for _, rule := range r.rules {
		for _, res := range rule.resources {
			res, sub, _ := strings.Cut(res, "/")
			for _, verb := range rule.verbs {
				right := Right{verb, rule.group, res, sub, r.namespace, ""}
				if len(rule.names) == 0 {
					out = append(out, right)
				}
				for _, right.Name = range rule.names {
					out = append(out, right)
				}
			}
		}
	}
	return out
}

// Needs lists every right that a connector of this scope needs, and that its manifest gives.
func Needs(s Scope) []Right {
	var out []Right
	for _, r := range s.roles() {
		out = append(out, r.rights()...)
	}
	return out
}

// Manifest returns keyturn-config.yaml for the scope, the same bytes for the same scope.
func Manifest(s Scope) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(head)
	for _, r := range s.roles() {
		r.write(&b)
	}
	return b.Bytes(), nil
}

// MissingManifest returns the roles of the scope's manifest that give at least one of missing, complete, so that
// applying them adds what is missing and takes nothing away. It is empty when nothing of the scope is missing.
func MissingManifest(s Scope, missing []Right) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, r := range s.roles() {
		if slices.ContainsFunc(r.rights(), func(x Right) bool { return slices.Contains(missing, x) }) {
			r.write(&b)
		}
	}
	return b.Bytes(), nil
}

const head = `# What Keyturn needs in this cluster, and no more. Apply it with: kubectl apply -f keyturn-config.yaml
apiVersion: v1
kind: Namespace
metadata:
  name: keyturn
---
# Keyturn works as this account.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: keyturn
  namespace: keyturn
---
# The first token. Keyturn replaces it by short ones; this one stays valid until it is deleted.
apiVersion: v1
kind: Secret
metadata:
  name: keyturn-token
  namespace: keyturn
  annotations:
    kubernetes.io/service-account.name: keyturn
type: kubernetes.io/service-account-token
`

// epochHead makes the object that the role of its name is about. What Keyturn writes into it stays when it is applied again.
const epochHead = `---
# How far each Keyturn that works with this cluster has come. Nothing in it is secret.
apiVersion: v1
kind: ConfigMap
metadata:
  name: ` + ConnectorEpoch + `
  namespace: ` + ConnectorNamespace + `
`

func (r role) write(b *bytes.Buffer) {
	if r.name == ConnectorEpoch {
		b.WriteString(epochHead)
	}
	kind, where := "ClusterRole", ""
	if r.namespace != "" {
		kind, where = "Role", "  namespace: "+r.namespace+"\n"
	}
	fmt.Fprintf(b, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata:\n  name: %s\n%srules:\n", kind, r.name, where)
	for _, x := range r.rules {
		fmt.Fprintf(b, "# %s\n- apiGroups: [%q]\n  resources: [%s]\n", x.why, x.group, strings.Join(x.resources, ", "))
		if len(x.names) > 0 {
			fmt.Fprintf(b, "  resourceNames: [%s]\n", strings.Join(x.names, ", "))
		}
		fmt.Fprintf(b, "  verbs: [%s]\n", strings.Join(x.verbs, ", "))
	}
	fmt.Fprintf(b, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %sBinding\nmetadata:\n  name: %s\n%sroleRef:\n"+
		"  apiGroup: rbac.authorization.k8s.io\n  kind: %s\n  name: %s\nsubjects:\n- kind: ServiceAccount\n  name: keyturn\n  namespace: keyturn\n",
		kind, r.name, where, kind, r.name)
}
