package vault

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keysake/keysake/bundle"
)

// A LeaseRequest is the input of [Service.CreateLease].
type LeaseRequest struct {
	Secrets   SecretIDs
	Delivery  Delivery
	Recipient Recipient    // of a bundle
	Limits    BrokerLimits // of a broker's
	TTL       TTL
	Run       Run
}

// SecretIDs are the secrets of a lease. The zero SecretIDs are refused.
type SecretIDs struct{ ids []uuid.UUID }

// NewSecretIDs returns the secrets of these ids. Invalid: there are none or too many, one is no
// UUID, or one is there twice.
func NewSecretIDs(texts []string) (SecretIDs, error) {
	const name = "secret_ids"
	if len(texts) > maxLeasedSecrets {
		return SecretIDs{}, invalid(
			Field{name, TooMany, fmt.Sprintf("At most %d secrets", maxLeasedSecrets)})
	}
	var ids []uuid.UUID
	var wrong []Field
	seen := map[uuid.UUID]bool{}
	item := func(i int) string { return name + "." + strconv.Itoa(i) }
	for i, text := range texts {
		id, err := uuid.Parse(text)
		switch {
		case err != nil || len(text) != 36:
			wrong = append(wrong, Field{item(i), UUID, "Must be a UUID"})
		case seen[id]:
			wrong = append(wrong, Field{item(i), GoodValue, "The secret is there twice"})
		default:
			seen[id] = true
		}
		ids = append(ids, id)
	}
	if len(wrong) > 0 {
		return SecretIDs{}, invalid(wrong...)
	}
	return SecretIDs{ids}, SecretIDs{ids}.check()
}

func (s SecretIDs) check() error {
	if len(s.ids) == 0 {
		return invalid(Field{"secret_ids", TooFew, "At least one secret"})
	}
	return nil
}

// NewDelivery returns the delivery of that name. Invalid: there is none.
func NewDelivery(text string) (Delivery, error) {
	switch d := Delivery(text); d {
	case ByBundle, ByTicket, ByBroker:
		return d, nil
	}
	return "", invalid(Field{"delivery", OneOf, "Must be bundle, ticket or broker"})
}

// A Recipient is the public key that a bundle is sealed to. The zero Recipient is none.
type Recipient struct {
	key   bundle.Recipient
	given bool
}

// NewRecipient returns the recipient of that text. Invalid: it is no public key that this server
// seals to.
func NewRecipient(text string) (Recipient, error) {
	key, err := bundle.ParseRecipient(text)
	if err != nil {
		return Recipient{}, invalid(Field{
			"recipient", GoodValue,
			"Must be x-wing: or x25519: and a public key in base64url without padding",
		})
	}
	return Recipient{key, true}, nil
}

// checkRecipient refuses a recipient whose suite a quantum computer breaks, if the server does.
func (s *Service) checkRecipient(r Recipient) error {
	if s.pqOnly && r.given && !r.key.Suite().PostQuantum() {
		return invalid(
			Field{"recipient", GoodValue, "This server seals to x-wing recipients only"})
	}
	return nil
}

// A TTL is how long a lease lasts. The zero TTL is an hour.
type TTL struct{ of time.Duration }

// NewTTL returns the TTL of that many seconds. Invalid: less than a minute, or more than a week.
func NewTTL(seconds int64) (TTL, error) {
	if seconds < int64(minTTL/time.Second) || seconds > int64(maxTTL/time.Second) {
		return TTL{}, invalid(Field{
			"ttl_seconds", GoodValue,
			fmt.Sprintf("Must be between %d and %d", minTTL/time.Second, maxTTL/time.Second),
		})
	}
	return TTL{time.Duration(seconds) * time.Second}, nil
}

// end returns when a lease ends that is made at a time: with the API key that asks, at the latest.
func (t TTL) end(at time.Time, who Actor) time.Time {
	if t.of == 0 {
		t.of = defaultTTL
	}
	end := at.Add(t.of)
	if !who.ExpiresAt.IsZero() && who.ExpiresAt.Before(end) {
		return who.ExpiresAt
	}
	return end
}

// A Run says what a lease is for, in the words of who asks for it. Either may be empty.
type Run struct{ ID, Label string }

// name is what audit entries have.
func (r Run) name() string {
	if r.ID != "" {
		return r.ID
	}
	return r.Label
}

// NewRun returns a run. nil stands for what was not given. Invalid: a text is empty, too long or
// not printable.
func NewRun(id, label *string) (r Run, err error) {
	badID, badLabel := checkRunText("id", id, &r.ID), checkRunText("label", label, &r.Label)
	if err := JoinInvalid(badID, badLabel); err != nil {
		return Run{}, err
	}
	return r, nil
}

func checkRunText(member string, text *string, into *string) error {
	broken := func(rule Rule, msg string) error {
		return invalid(Field{"run." + member, rule, msg})
	}
	switch {
	case text == nil:
		return nil
	case *text == "":
		return broken(TooShort, "Must not be empty")
	case utf8.RuneCountInString(*text) > maxRunText:
		return broken(TooLong, fmt.Sprintf("Must have at most %d characters", maxRunText))
	case !utf8.ValidString(*text), strings.ContainsFunc(*text, func(r rune) bool {
		return !unicode.IsPrint(r)
	}):
		return broken(Pattern, "Must have printable characters only")
	}
	*into = *text
	return nil
}

// Check returns what is wrong with a request whose parts are right. Invalid.
func (r LeaseRequest) Check() error {
	err := r.Secrets.check()
	switch {
	case r.Delivery == ByBundle && !r.Recipient.given:
		err = JoinInvalid(err, invalid(Field{"recipient", Required, "A bundle needs a recipient"}))
	case r.Delivery == ByTicket && r.Recipient.given:
		err = JoinInvalid(err, invalid(Field{
			"recipient", GoodValue,
			"The recipient of a ticket is whoever redeems it",
		}))
	case r.Delivery == ByBroker && r.Recipient.given:
		err = JoinInvalid(err, invalid(Field{
			"recipient", GoodValue, "A broker hands out no value, so there is no recipient",
		}))
	}
	if r.Delivery != ByBroker && r.Limits.Text() != "" {
		err = JoinInvalid(err, invalid(Field{
			"broker", GoodValue, "Only a lease for the broker has limits",
		}))
	}
	_, unknown := NewDelivery(string(r.Delivery))
	return JoinInvalid(err, unknown)
}
