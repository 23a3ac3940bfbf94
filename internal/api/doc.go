// Package api is Keyturn's HTTP surface: REST under /api/v1, its OpenAPI document, the event stream and the console.
//
//	request ──▶ guard (path, size, sealed) ──▶ who asks ──▶ route ──▶ gate (decide, record a refusal) ──▶ operation
//
// Invariants: a route exists only through [op], which names the policy's operation, so nothing is answered that the gate
// did not decide; an error becomes an answer in one place, which never repeats what was submitted; answers are not stored
// by anybody on the way.
package api
