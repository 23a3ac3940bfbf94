package rotation

import (
	"github.com/keyturn/keyturn/internal/composite"
	"github.com/keyturn/keyturn/internal/fault"
	"github.com/keyturn/keyturn/internal/vault"
)

// holds reports whether value stands at the write's place in what the key has. Where nothing can be read it does not.
func (w *Write) holds(have, value vault.Value) bool {
	if w.Place.IsWhole() {
		return have.Equal(value)
	}
	part, err := composite.Find(w.Place, have)
	if err != nil {
		return false
	}
	defer part.Password.Wipe()
	return part.Stands(w.User, value)
}

// compose returns what the key has to hold so that value stands at the write's place and everything else is as it was.
func (w *Write) compose(have vault.Value, has bool, value vault.Value) (vault.Value, error) {
	switch {
	case w.Place.IsWhole():
		return value, nil
	case w.Place.Holds == composite.HoldsUser:
		return vault.NewValue([]byte(w.User)), nil
	case !has:
		return vault.Value{}, fault.New(fault.Invalid, "the key is gone, and what stood around the credential with it").
			WithCure("put the key back into the Secret, then resume")
	case w.Place.HasUser():
		return composite.Replace(w.Place, have, &w.User, value)
	case w.Pair && w.strays(have):
		return vault.Value{}, fault.New(fault.Invalid, "the user name that stands beside the password is another login's, and would stay").
			WithCure("remove the mapping and resume; then map the key again as what holds both")
	default:
		return composite.Replace(w.Place, have, nil, value)
	}
}

// strays reports whether a user name stands beside the password that is not the one that it belongs to.
func (w *Write) strays(have vault.Value) bool {
	part, err := composite.Find(w.Place, have)
	if err != nil {
		return false
	}
	defer part.Password.Wipe()
	return part.User != nil && *part.User != w.User
}

// together takes keys out of the patch of a Secret that holds user names, where one of its keys cannot be written: a
// password without its user name lets nobody in. A Secret that is replaced is so as a whole or not at all.
func (d decision) together(replaced bool) {
	blocked, users := -1, false
	for i, w := range d.writes {
		users = users || w.Place.HasUser()
		if w.State == WriteBlocked || w.State == WriteHands {
			blocked = i
		}
	}
	why := "since user name and password belong together"
	if !users {
		why = "since the Secret is replaced as a whole"
	}
	if blocked < 0 || !users && !replaced {
		return
	}
	for i := range d.writes {
		w := &d.writes[i]
		if _, goes := d.patch[w.Key]; goes {
			delete(d.patch, w.Key)
			w.set(WriteBlocked, "it is not written without the key "+d.writes[blocked].Key+", "+why, d.writes[blocked].Cure)
		}
	}
}

// proof is what a key is proved to hold: the credential, or where only its hash stands there the value as a whole.
func (e *Engine) proof(w Write, have vault.Value, credential vault.Fingerprint) vault.Fingerprint {
	if !w.Place.Hashed() && !w.Place.HasUser() {
		return credential
	}
	part, err := composite.Find(w.Place, have)
	if err != nil {
		return e.Vault.Fingerprint(have)
	}
	defer part.Password.Wipe()
	return e.Vault.Fingerprint(part.Known())
}
