package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// workload is what reads a mapped key, as a variable: only a restart brings it a new value.
type workload struct {
	site                                     int
	kind, namespace, name, secret, key, pods string // pods selects them
}

var workloads = []workload{
	{0, "Deployment", "shop", "web", "db", "password", "app=web"},
	{1, "StatefulSet", "billing", "ledger", "ledger", "DATABASE_URL", "app=ledger"},
}

const replicas = 3

// deploy starts the workloads and waits until their pods are ready.
func (s *Stage) deploy(ctx context.Context) error {
	for _, w := range workloads {
		labels := object{"app": w.name}
		spec := object{"replicas": replicas, "selector": object{"matchLabels": labels}, "template": object{
			"metadata": object{"labels": labels},
			"spec": object{"containers": []object{{"name": "app", "image": "none", "env": []object{
				{"name": "PASSWORD", "valueFrom": object{"secretKeyRef": object{"name": w.secret, "key": w.key}}}}}}}}}
		if w.kind == "StatefulSet" {
			spec["serviceName"] = w.name
		}
		err := s.sites[w.site].create(ctx, object{"apiVersion": "apps/v1", "kind": w.kind, "metadata": object{"namespace": w.namespace, "name": w.name}, "spec": spec})
		if err != nil {
			return err
		}
	}
	for _, w := range workloads {
		_, err := s.sites[w.site].kubectl(ctx, "", "-n", w.namespace, "rollout", "status", w.kind+"/"+w.name, "--timeout=120s")
		if err != nil {
			return err
		}
	}
	pods, err := s.podsNow(ctx)
	s.pods = pods
	return err
}

// podsNow returns the pods of all workloads, by their uid.
func (s *Stage) podsNow(ctx context.Context) (map[string]pod, error) {
	all := map[string]pod{}
	for _, w := range workloads {
		out, err := s.sites[w.site].kubectl(ctx, "", "-n", w.namespace, "get", "pods", "-l", w.pods, "-o", "json")
		if err != nil {
			return nil, err
		}
		var l list[pod]
		if err := json.Unmarshal([]byte(out), &l); err != nil {
			return nil, err
		}
		for _, p := range l.Items {
			all[p.Metadata.UID] = p
		}
	}
	return all, nil
}

// pod is what kubectl tells of one.
type pod struct {
	Metadata struct {
		UID, Name   string
		Annotations map[string]string
	}
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

func (p pod) ready() bool {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

// restarted proves with kubectl that no pod is left from before the run, and that every one there is carries its mark and is
// ready.
func (s *Stage) restarted(ctx context.Context, run string) error {
	now, err := s.podsNow(ctx)
	if err != nil {
		return err
	}
	if want := replicas * len(workloads); len(now) != want {
		return fmt.Errorf("kubectl: there are %d pods, should be %d", len(now), want)
	}
	for uid, p := range now {
		if _, old := s.pods[uid]; old {
			return fmt.Errorf("kubectl: pod %s is from before the reset", p.Metadata.Name)
		}
		if mark := p.Metadata.Annotations["keyturn.dev/restarted-by"]; mark != run || !p.ready() {
			return fmt.Errorf("kubectl: pod %s carries the mark %q, should carry %q; ready: %v", p.Metadata.Name, mark, run, p.ready())
		}
	}
	s.pods = now
	return nil
}

// watched runs a command as the administrator and shows its lines as they come. It returns the run that it told of first.
func (s *Stage) watched(ctx context.Context, args ...string) (run string, err error) {
	if err := s.stream(ctx, s.show.tell, args...); err != nil {
		return "", err
	}
	l, err := ask[list[struct{ ID string }]](ctx, s, s.anna, "rotation", "list", "--sort", "-created", "--limit", "1")
	if err != nil {
		return "", err
	}
	if len(l.Items) == 0 || strings.TrimSpace(l.Items[0].ID) == "" {
		return "", errors.New("no run is listed")
	}
	return l.Items[0].ID, nil
}
