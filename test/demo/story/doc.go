// Package story plays what Keyturn is for, once, on real servers: two Kubernetes control planes, a PostgreSQL server and
// `keyturn server`, with people who use nothing but the command line.
//
//	Open ──▶ Stage ──Play──▶ every step: do (keyturn …) ─▶ proof (kubectl, psql, or arithmetic on the exported log)
//	           └────Close──▶ nothing is left running
//
// A step counts only if its proof holds, and the proof never takes Keyturn's word. The demo and a test play the same steps.
package story
