package wire

// A Problem is the body of every answer that is an error.
type Problem struct {
	Code   int    `json:"code"`   // the HTTP status again
	Detail string `json:"detail"` // for people
	Type   string `json:"type"`   // for programs; stable
	// where fields are at fault; never an empty or a null array
	Errors []FieldError `json:"errors,omitempty"`
}

// A FieldError says which part of a request breaks which rule. It never repeats what was sent.
type FieldError struct {
	Loc  []any  `json:"loc"` // strings and integers, from body, query, path or header inward
	Msg  string `json:"msg"`
	Type string `json:"type"`
}

// The types of field errors, by the names that FastAPI's users know.
const (
	TypeMissing     = "missing"
	TypeExtra       = "extra_forbidden"
	TypeString      = "string_type"
	TypeBool        = "bool_type"
	TypeInt         = "int_type"
	TypeList        = "list_type"
	TypeDatetime    = "datetime_parsing"
	TypeObject      = "model_attributes_type"
	TypeTooShort    = "string_too_short"
	TypeTooLong     = "string_too_long"
	TypeListTooLong = "too_long"
	TypeListTooFew  = "too_short"
	TypeTooSmall    = "greater_than_equal"
	TypePattern     = "string_pattern_mismatch"
	TypeEnum        = "enum"
	TypeUUID        = "uuid_parsing"
	TypeJSON        = "json_invalid"
	TypeValue       = "value_error"
	TypeSealingKey  = "sealing_key" // get the current one and seal again
)
