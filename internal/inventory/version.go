package inventory

import (
	"time"

	"github.com/keyturn/keyturn/internal/vault"
)

// Stage is where a version stands in its life.
type Stage string

// The stages, in order.
const (
	Pending  Stage = "pending"  // sealed, but not proved on the target
	Current  Stage = "current"  // what the target accepts
	Previous Stage = "previous" // what it accepted before; may still be accepted for a time
	Retired  Stage = "retired"  // no longer accepted, or never was
)

// Source is how a version came to be.
type Source string

// The sources.
const (
	Fetched   Source = "fetched"   // read from a cluster
	Written   Source = "written"   // of a Secret: seen when Keyturn itself wrote to it
	Generated Source = "generated" // made by a password policy
	Typed     Source = "typed"     // given by a person
	Restored  Source = "restored"  // an older version, set again
	Adopted   Source = "adopted"   // found to log in after the repository was restored from a backup
)

// Version is one value of a credential. Its record for sealing is (Kind "version", AccountID, Number).
type Version struct {
	AccountID string // of an account or of a Secret
	Number    int64  // from 1, without gaps, per account
	Stage     Stage
	Source    Source
	ActorID   string
	ActorName string
	CreatedAt time.Time
	RetiredAt time.Time
	Sealed    vault.Sealed
	// Mark is that of an account's value. That of a Secret's version is zero: its keys have their own.
	Mark vault.Mark
	// Login is whose value it is; empty for the account's name. Only versions of a pair have another.
	Login string
}

// VersionRecord is what the sealed value of a version is bound to.
func VersionRecord(accountID string, number int64) vault.Record {
	return vault.Record{Kind: "version", ID: accountID, Version: number}
}
