package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/keyturn/keyturn/test/testbed"
)

const (
	pageSize = 500
	inFlight = 32 // requests at once, here as in a reset
	valueKey = "password"
	// dataSize is how many bytes of data a Secret has.
	dataSize = 1500
)

// bare is a client of the API server with nothing around it: what Keyturn is measured against.
type bare struct{ kube kubernetes.Interface }

func newBare(plane *testbed.ControlPlane) (bare, error) {
	kube, err := kubernetes.NewForConfig(&rest.Config{
		Host: plane.URL, BearerToken: plane.AdminToken, TLSClientConfig: rest.TLSClientConfig{CAData: plane.CAPEM}, QPS: -1,
		ContentConfig: rest.ContentConfig{ContentType: runtime.ContentTypeProtobuf, AcceptContentTypes: runtime.ContentTypeProtobuf},
	})
	return bare{kube}, err
}

func namespace(i int) string { return fmt.Sprintf("team-%03d", i) }

func secretName(i int) string { return fmt.Sprintf("app-%02d", i) }

// fill makes the namespaces and the Secrets.
func (b bare) fill(ctx context.Context, o options) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(inFlight)
	for n := range o.spaces {
		work.Go(func() error {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace(n)}}
			if _, err := b.kube.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
				return err
			}
			for i := range o.perNamespace() {
				password := rand.Text()
				rest := strings.Repeat(rand.Text(), dataSize/len(password))[:dataSize-len(password)]
				s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName(i)}, Data: map[string][]byte{valueKey: []byte(password), "config": []byte(rest)}}
				if _, err := b.kube.CoreV1().Secrets(ns.Name).Create(ctx, s, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return work.Wait()
}

// list reads all Secrets, page after page.
func (b bare) list(ctx context.Context, o options) error {
	seen, opts := 0, metav1.ListOptions{Limit: pageSize}
	for {
		l, err := b.kube.CoreV1().Secrets("").List(ctx, opts)
		if err != nil {
			return err
		}
		seen += len(l.Items)
		if opts.Continue = l.Continue; opts.Continue == "" {
			break
		}
	}
	if seen < o.secrets {
		return fmt.Errorf("the cluster listed %d Secrets", seen)
	}
	return nil
}

// patch gives one new value to a key of every Secret of the namespaces from first on, until o.targets are written.
func (b bare) patch(ctx context.Context, o options, first int) error {
	if first+o.targets/o.perNamespace() > o.spaces {
		return errors.New("there are too few namespaces")
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(inFlight)
	body := []byte(fmt.Sprintf(`{"data":{%q:%q}}`, valueKey, base64.StdEncoding.EncodeToString([]byte(rand.Text()))))
	for i := range o.targets {
		work.Go(func() error {
			_, err := b.kube.CoreV1().Secrets(namespace(first+i/o.perNamespace())).Patch(ctx, secretName(i%o.perNamespace()), types.MergePatchType, body,
				metav1.PatchOptions{FieldManager: "kubectl-patch"})
			return err
		})
	}
	return work.Wait()
}

// connector applies Keyturn's manifest and returns the token that Kubernetes makes for it.
func connector(ctx context.Context, plane *testbed.ControlPlane, manifest []byte) (string, error) {
	if _, err := plane.Kubectl(ctx, string(manifest), "apply", "-f", "-"); err != nil {
		return "", err
	}
	if _, err := plane.Kubectl(ctx, "", "-n", "keyturn", "wait", "secret/keyturn-token", "--for=jsonpath={.data.token}", "--timeout=2m"); err != nil {
		return "", err
	}
	return plane.Kubectl(ctx, "", "-n", "keyturn", "get", "secrets/keyturn-token", "-o", "jsonpath={.data.token}")
}
