package prometheus

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	query "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// board is grafana.json, read as strictly as Grafana's schema is: no field that it doesn't know, none missing, each of its kind.
func board(t *testing.T) *dashboard.Dashboard {
	t.Helper()
	cog.NewRuntime().RegisterPanelcfgVariant(stat.VariantConfig())
	cog.NewRuntime().RegisterPanelcfgVariant(timeseries.VariantConfig())
	text, err := os.ReadFile("grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	strictly(t, "the dashboard", text, &dashboard.Dashboard{})
	b := &dashboard.Dashboard{}
	if err := json.Unmarshal(text, b); err != nil { // which keeps the panels; the strict way looks at them and drops them
		t.Fatal(err)
	}
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	return b
}

// strictly reads JSON and fails the test at what Grafana's schema doesn't have. The schema's own type returns a list of no errors, which
// isn't nil, where there are none.
func strictly(t *testing.T, name string, text []byte, into interface{ UnmarshalJSONStrict([]byte) error }) {
	t.Helper()
	err := into.UnmarshalJSONStrict(text)
	if list, is := err.(cog.BuildErrors); err != nil && (!is || len(list) > 0) {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestGrafanaImports: Grafana takes the dashboard, by a name and an address of its own, and asks the data source that the reader chooses.
func TestGrafanaImports(t *testing.T) {
	b := board(t)
	if b.Title == nil || *b.Title == "" || b.Uid == nil || !regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`).MatchString(*b.Uid) {
		t.Error("it has no title, or no uid that an address may have")
	}
	if b.SchemaVersion < 36 || b.SchemaVersion > dashboard.NewDashboard().SchemaVersion {
		t.Errorf("schema version %d: data sources are told by type and uid from 36 on, and Grafana refuses one newer than it knows", b.SchemaVersion)
	}
	if b.Id != nil {
		t.Error("it has the id of one Grafana")
	}
	variables := b.Templating.List
	if len(variables) == 0 || variables[0].Type != dashboard.VariableTypeDatasource || variables[0].Name != "datasource" || *variables[0].Query.String != "prometheus" {
		t.Fatalf("the first variable isn't the data source: %+v", variables)
	}
	for _, v := range variables[1:] {
		chosen(t, v.Name, v.Datasource)
	}
	for _, p := range b.Panels {
		if p.Panel != nil {
			chosen(t, *p.Panel.Title, p.Panel.Datasource)
		}
	}
}

// chosen fails the test unless a data source is the reader's choice.
func chosen(t *testing.T, name string, source *common.DataSourceRef) {
	t.Helper()
	if source == nil || source.Type == nil || *source.Type != "prometheus" || source.Uid == nil || *source.Uid != "${datasource}" {
		t.Errorf("%s asks a data source that the reader didn't choose: %+v", name, source)
	}
}

// TestGrafanaPanels: panels have ids of their own, and places where they don't cover each other, and are of kinds that are checked here.
func TestGrafanaPanels(t *testing.T) {
	b := board(t)
	if len(b.Panels) < 8 {
		t.Errorf("%d panels", len(b.Panels))
	}
	ids := map[uint32]bool{}
	places := map[[2]uint32]string{}
	for _, p := range b.Panels {
		p := p.Panel
		if p == nil || p.Id == nil || ids[*p.Id] || p.Title == nil || *p.Title == "" || p.GridPos == nil {
			t.Fatalf("a panel without an id of its own, a title or a place: %+v", p)
		}
		ids[*p.Id] = true
		if _, known := cog.ConfigForPanelcfgVariant(p.Type); !known {
			t.Errorf("%s is a %s: register its kind in board", *p.Title, p.Type)
		}
		at := p.GridPos
		if at.X+at.W > 24 {
			t.Errorf("%s is beyond the right edge", *p.Title)
		}
		for cell := range at.W * at.H {
			place := [2]uint32{at.X + cell%at.W, at.Y + cell/at.W}
			if places[place] != "" {
				t.Fatalf("%s covers %s", *p.Title, places[place])
			}
			places[place] = *p.Title
		}
	}
}

// queries are the queries of a panel, read strictly.
func queries(t *testing.T, p *dashboard.Panel) []*query.Dataquery {
	t.Helper()
	var list []*query.Dataquery
	for _, target := range p.Targets {
		text, err := json.Marshal(target)
		if err != nil {
			t.Fatal(err)
		}
		q := &query.Dataquery{}
		strictly(t, *p.Title, text, q)
		if err := q.Validate(); err != nil {
			t.Errorf("%s: %v", *p.Title, err)
		}
		list = append(list, q)
	}
	return list
}

// addsUp is a sum over what caches of one store tell alike.
var addsUp = regexp.MustCompile(`sum( by \([^)]*\) ?)? ?\((rate\()?larder_(shared|store|server|unannounced)_`)

// TestGrafana: each query is of metrics that there are, of the job and the cache that the reader chose. What is of a store isn't
// added up over the caches of a process: they have it in common.
func TestGrafana(t *testing.T) {
	d := describe(nil)
	var known []string
	for _, one := range d.all() {
		known = append(known, regexp.MustCompile(`larder_\w+`).FindString(one.String()))
	}
	for _, p := range board(t).Panels {
		title, refs := *p.Panel.Title, map[string]bool{}
		for _, q := range queries(t, p.Panel) {
			if q.RefId == nil || refs[*q.RefId] {
				t.Fatalf("%s has a query without a letter of its own: %s", title, q.Expr)
			}
			refs[*q.RefId] = true
			names := regexp.MustCompile(`larder_\w+`).FindAllString(q.Expr, -1)
			if len(names) == 0 || strings.Count(q.Expr, `{job=~"$job",cache=~"$cache"`) != len(names) {
				t.Errorf("%s asks for nothing, or for more than was chosen: %q", title, q.Expr)
			}
			if addsUp.MatchString(q.Expr) {
				t.Errorf("%s adds up what caches over one store tell alike: %s", title, q.Expr)
			}
			for _, name := range names {
				if !slices.Contains(known, regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")) {
					t.Errorf("%s asks for %s, which isn't exported", title, name)
				}
			}
		}
		if len(refs) == 0 {
			t.Errorf("%s has no queries", title)
		}
	}
}
