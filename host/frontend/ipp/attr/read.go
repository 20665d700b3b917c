package attr

import (
	"fmt"
	"slices"

	"github.com/OpenPrinting/goipp"
)

// Find gives the first attribute of a name.
func Find(list goipp.Attributes, name string) (goipp.Attribute, bool) {
	i := slices.IndexFunc(list, func(a goipp.Attribute) bool { return a.Name == name })
	if i < 0 {
		return goipp.Attribute{}, false
	}
	return list[i], true
}

// Has says whether an attribute is there.
func Has(list goipp.Attributes, name string) bool {
	_, ok := Find(list, name)
	return ok
}

// Put replaces the attribute of the same name, or adds it.
func Put(list goipp.Attributes, a goipp.Attribute) goipp.Attributes {
	i := slices.IndexFunc(list, func(b goipp.Attribute) bool { return a.Name == b.Name })
	if i < 0 {
		return append(list, a)
	}
	list[i] = a
	return list
}

// Delete gives the list without the attributes of a name.
func Delete(list goipp.Attributes, name string) goipp.Attributes {
	return slices.DeleteFunc(list, func(a goipp.Attribute) bool { return a.Name == name })
}

// A SyntaxError is an attribute whose values are not what they must be.
type SyntaxError struct{ Name, Want string }

// Error names the attribute.
func (e *SyntaxError) Error() string { return fmt.Sprintf("attribute %s must be %s", e.Name, e.Want) }

// one gives the only value of an attribute; ok is false if it is absent.
func one(list goipp.Attributes, name, want string, tags ...goipp.Tag) (v goipp.Value, ok bool, err error) {
	a, found := Find(list, name)
	if !found {
		return nil, false, nil
	}
	if len(a.Values) != 1 || !slices.Contains(tags, a.Values[0].T) {
		return nil, true, &SyntaxError{name, want}
	}
	return a.Values[0].V, true, nil
}

// ReadInt gives an integer or enum.
func ReadInt(list goipp.Attributes, name string) (n int, ok bool, err error) {
	v, ok, err := one(list, name, "one integer", goipp.TagInteger, goipp.TagEnum)
	if i, is := v.(goipp.Integer); is {
		return int(i), ok, err
	}
	return 0, ok, err
}

// ReadBool gives a boolean.
func ReadBool(list goipp.Attributes, name string) (b, ok bool, err error) {
	v, ok, err := one(list, name, "one boolean", goipp.TagBoolean)
	if x, is := v.(goipp.Boolean); is {
		return bool(x), ok, err
	}
	return false, ok, err
}

// textTags are the syntaxes of one text without its language, and with it.
func textTags() []goipp.Tag {
	return []goipp.Tag{
		goipp.TagText, goipp.TagName, goipp.TagKeyword, goipp.TagURI, goipp.TagMimeType, goipp.TagCharset, goipp.TagLanguage,
		goipp.TagURIScheme, goipp.TagTextLang, goipp.TagNameLang,
	}
}

// ReadText gives one text of any textual syntax.
func ReadText(list goipp.Attributes, name string) (s string, ok bool, err error) {
	v, ok, err := one(list, name, "one text", textTags()...)
	if err != nil || !ok {
		return "", ok, err
	}
	return TextOf(v), true, nil
}

// ReadTexts gives all values of an attribute of texts.
func ReadTexts(list goipp.Attributes, name string) (texts []string, ok bool, err error) {
	a, found := Find(list, name)
	if !found {
		return nil, false, nil
	}
	for _, v := range a.Values {
		if !slices.Contains(textTags(), v.T) {
			return nil, true, &SyntaxError{name, "texts"}
		}
		texts = append(texts, TextOf(v.V))
	}
	return texts, true, nil
}

// TextOf gives the text of a textual value.
func TextOf(v goipp.Value) string {
	if t, ok := v.(goipp.TextWithLang); ok {
		return t.Text
	}
	return v.String()
}

// TooLong names a value that is longer than its syntax allows, or is empty text where a
// name is needed; empty if all are well.
func TooLong(list goipp.Attributes) string {
	most := map[goipp.Tag]int{
		goipp.TagText: MaxText, goipp.TagTextLang: MaxText, goipp.TagName: MaxName, goipp.TagNameLang: MaxName,
		goipp.TagKeyword: MaxKeyword, goipp.TagURI: MaxURI, goipp.TagMimeType: MaxMime, goipp.TagCharset: MaxCharset,
		goipp.TagLanguage: MaxLang, goipp.TagURIScheme: MaxLang, goipp.TagString: MaxText,
	}
	for _, a := range list {
		for _, v := range a.Values {
			n, limited := most[v.T]
			if limited && size(v.V) > n {
				return a.Name
			}
		}
	}
	return ""
}

func size(v goipp.Value) int {
	if b, ok := v.(goipp.Binary); ok {
		return len(b)
	}
	return len(TextOf(v))
}

// Encode packs attributes for keeping, as a message of one group.
func Encode(group goipp.Tag, list goipp.Attributes) ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := goipp.NewMessageWithGroups(goipp.DefaultVersion, 0, 1, goipp.Groups{{Tag: group, Attrs: list}})
	return m.EncodeBytes()
}

// Decode unpacks what Encode packed. What is damaged is as if it were not there.
func Decode(data []byte) (list goipp.Attributes) {
	if len(data) == 0 {
		return nil
	}
	defer func() {
		if recover() != nil { // goipp panics on some tags that it does not know
			list = nil
		}
	}()
	var m goipp.Message
	if err := m.DecodeBytes(data); err != nil || len(m.Groups) == 0 {
		return nil
	}
	return m.Groups[0].Attrs
}
