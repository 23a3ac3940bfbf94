// Package testbed starts the real servers that tests, the demo and the benchmarks run against: a Kubernetes control plane
// (etcd, API server, controller manager; with nodes a scheduler and kwok too) and PostgreSQL over TLS.
//
//	StartClusters ──▶ Etcd ◀── ControlPlane c1 (prefix /c1)      StartPostgres ──▶ Postgres
//	                       ◀── ControlPlane c2 (prefix /c2)
//
// What every server here promises: it listens on loopback only; Start returns once it answered a real request, or an
// error that ends with the tail of its output; the context bounds the start alone, and the server then lives until its
// Stop; Stop waits until the process is gone and may be called twice; and the kernel kills the server should this
// process die first. A missing server is an error that names the cure, never a reason to skip.
//
// Nothing here is fit for production: durability is switched off, and administrators' tokens lie in files.
package testbed
