package page

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Funcs are the functions that templates with fragments are parsed with:
//
//	{{fragment "sidebar" .User}}   what the template "sidebar" makes of the user, from the cache if it is there
//	{{context}}                    the context of the execution, for functions and methods that read
//
// They work in templates that Templates executes.
func Funcs() template.FuncMap {
	return template.FuncMap{
		"fragment": func(string, ...any) (template.HTML, error) { return "", errUnbound },
		"context":  func() (context.Context, error) { return nil, errUnbound },
	}
}

var errUnbound = errors.New("page: a template with fragments is executed by page.Templates")

// Templates are templates of html/template whose fragments are kept in a cache. They are safe for concurrent use.
type Templates struct {
	fragments
	options map[string]FragmentOptions
	loaders map[string]Loader
	names   map[string]bool
	pool    sync.Pool // of *bound

	mu      sync.Mutex // guards pattern, which is cloned
	pattern *template.Template
}

// A Loader reads what a fragment's template is executed with, given what stands behind its name. It is called only if the fragment isn't in the
// cache.
type Loader func(ctx context.Context, args ...any) (any, error)

// NewTemplates returns the templates of a set that was parsed with Funcs and not executed yet; it must not be executed otherwise. loaders, by
// the name of a template, may be nil: a fragment without one is executed with the value that stands behind its name.
//
// A fragment is known by its template, the value behind the name, and the text of all templates of the set. Values of which two that differ
// can't be told apart (functions, channels) are an error of the execution; so are those that the template reaches, but
// of which its key says nothing: what a loader, a method or a function reads must be read under {{context}}.
//
// options are those of the fragments that aren't kept by default, by the name of their template; at most one such map may be given.
func NewTemplates(cache Cache, set *template.Template, loaders map[string]Loader, options ...map[string]FragmentOptions) (*Templates, error) {
	pattern, err := set.Clone()
	if err != nil {
		return nil, fmt.Errorf("page: templates: %w", err)
	}
	t := &Templates{loaders: loaders, pattern: pattern, names: map[string]bool{}}
	t.fragments = fragments{cache, versionOf(cache.Values(), "") + textOf(pattern)}
	for _, one := range pattern.Templates() {
		t.names[one.Name()] = true
	}
	for name := range loaders {
		if !t.names[name] {
			return nil, fmt.Errorf("page: templates: a loader is of the template %q, which isn't there", name)
		}
	}
	if err := t.set(options); err != nil {
		return nil, err
	}
	if _, err := t.take(); err != nil {
		return nil, err
	}
	return t, nil
}

// set sets the options of fragments.
func (t *Templates) set(options []map[string]FragmentOptions) error {
	switch len(options) {
	case 0:
		return nil
	case 1:
		t.options = maps.Clone(options[0])
	default:
		return errors.New("page: NewTemplates takes at most one map of FragmentOptions")
	}
	for name, o := range t.options {
		if !t.names[name] {
			return fmt.Errorf("page: templates: options are of the template %q, which isn't there", name)
		}
		if err := o.check(); err != nil {
			return fmt.Errorf("%w: template %q", err, name)
		}
	}
	return nil
}

// textOf is a digest of all templates of a set.
func textOf(set *template.Template) string {
	all := set.Templates()
	slices.SortFunc(all, func(a, b *template.Template) int { return strings.Compare(a.Name(), b.Name()) })
	sum := sha256.New()
	for _, t := range all {
		var k key
		k.add(t.Name())
		if t.Tree != nil {
			k.add(t.Tree.Root.String())
		}
		sum.Write(k.b)
	}
	return string(sum.Sum(nil))
}

// Execute writes what the template of a name makes of data. What it reads under {{context}} is read under ctx.
func (t *Templates) Execute(ctx context.Context, w io.Writer, name string, data any) error {
	b, err := t.take()
	if err != nil {
		return err
	}
	b.ctx = ctx
	err = b.set.ExecuteTemplate(w, name, data)
	b.ctx = nil
	t.pool.Put(b)
	return err
}

// bound is a copy of the templates whose functions are those of one execution.
type bound struct {
	of  *Templates
	set *template.Template
	ctx context.Context
}

func (t *Templates) take() (*bound, error) {
	if b, ok := t.pool.Get().(*bound); ok {
		return b, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	set, err := t.pattern.Clone()
	if err != nil {
		return nil, fmt.Errorf("page: templates: %w", err)
	}
	b := &bound{of: t, set: set}
	set.Funcs(template.FuncMap{"fragment": b.fragment, "context": func() context.Context { return b.ctx }})
	return b, nil
}

// fragment is what {{fragment}} calls. html/template has escaped what it returns, as the template of that name.
func (b *bound) fragment(name string, args ...any) (template.HTML, error) {
	if !b.of.names[name] {
		return "", fmt.Errorf("page: fragment: there is no template %q", name)
	}
	if len(args) > 1 && b.of.loaders[name] == nil {
		return "", fmt.Errorf("page: fragment %s: several values need a Loader", name)
	}
	of, err := exactly(args)
	if err != nil {
		return "", fmt.Errorf("page: fragment %s: %w", name, err)
	}
	outer := b.ctx
	defer func() { b.ctx = outer }()
	made, err := b.of.get(outer, "template", name, of, b.of.options[name], func(ctx context.Context, w io.Writer) error {
		b.ctx = ctx
		data, err := b.of.load(ctx, name, args)
		if err != nil {
			return err
		}
		return b.set.ExecuteTemplate(w, name, data)
	})
	return template.HTML(made), err
}

func (t *Templates) load(ctx context.Context, name string, args []any) (any, error) {
	if load := t.loaders[name]; load != nil {
		return load(ctx, args...)
	}
	if len(args) == 0 {
		return nil, nil
	}
	return args[0], nil
}
