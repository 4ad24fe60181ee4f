//go:build soak

package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/zstd"
)

var kept = flag.String("store", "", "directory that keeps the filled stores for the next run")

const (
	crowd   = 100 // persons of the small store, each with 101 resources
	copies  = 99  // of every person, in the large store
	rounds  = 400 // of each piece of work on each store
	allowed = 1.35
)

// grown is Sluse on a store of some size.
type grown struct {
	side
	postgres int
	conn     *pgx.Conn
}

// open starts Sluse on a data directory, with autovacuum, and so analysis, off.
func open(ctx context.Context, binary, data string) (*grown, error) {
	p, err := launch(binary, "demo", "--no-story", "--log-level=error", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.data = data
	g := &grown{side: side{process: p}}
	pid, socket, err := p.postgres()
	if err != nil {
		return g, err
	}
	g.postgres = pid
	if g.conn, err = pgx.Connect(ctx, fmt.Sprintf("host=%s user=sluse dbname=sluse", socket)); err != nil {
		return g, err
	}
	for _, sql := range []string{`alter system set autovacuum = off`, `select pg_reload_conf()`} {
		if _, err := g.conn.Exec(ctx, sql); err != nil {
			return g, err
		}
	}
	return g, nil
}

// stores gives a store of 10,000 resources, written through Sluse, and one that holds 99 copies of
// each person beside: of the same shape, never analysed.
func stores(t *testing.T) (small, large *grown) {
	ctx, dir := t.Context(), *kept
	if dir == "" {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("sluse-growth-%d", os.Getpid()))
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	binary, err := built(t.TempDir(), "./cmd/sluse")
	if err = errors.Join(err, os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(dir, "small"), filepath.Join(dir, "large")
	opened := func(data string) *grown {
		g, err := open(ctx, binary, data)
		if g != nil {
			t.Cleanup(g.stop)
		}
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	_, err = os.Stat(first)
	if small = opened(first); err != nil {
		small.populate(t)
		small.stop()
		if out, err := exec.Command("cp", "-a", first, second).CombinedOutput(); err != nil {
			t.Fatalf("copy: %v: %s", err, out)
		}
		small, large = opened(first), opened(second)
		large.multiply(t)
	} else {
		large = opened(second)
	}
	for _, g := range []*grown{small, large} {
		g.known(t)
	}
	return small, large
}

func (g *grown) populate(t *testing.T) {
	r := rig{sluse: g.side}
	p, err := r.enter()
	if err != nil {
		t.Fatal(err)
	}
	g.side = r.sluse
	for n := range crowd {
		if err := g.person(n, p, 70, 4, 25); err != nil {
			t.Fatal(err)
		}
	}
}

// known takes tokens, and 100 persons of the party's own with what they have, spread over the store.
func (g *grown) known(t *testing.T) {
	ctx := t.Context()
	r := rig{sluse: g.side}
	p, err := r.enter()
	if err != nil {
		t.Fatal(err)
	}
	g.side = r.sluse
	g.patients, g.plans = nil, nil
	rows, err := g.conn.Query(ctx, `
with p as (select r.id, r.person from resource r join address a on a.type || '/' || a.id = $1 and r.custodian = a.her
  where r.type = 'Patient' order by md5(r.id) limit 100)
select 'Patient/' || p.id, array(select 'CarePlan/' || c.id from resource c where c.person = p.person and c.type = 'CarePlan' order by md5(c.id) limit 4) from p`, p.own)
	if err != nil {
		t.Fatal(err)
	}
	var patient string
	var plans []string
	if _, err = pgx.ForEachRow(rows, []any{&patient, &plans}, func() error {
		g.patients, g.plans = append(g.patients, patient), append(g.plans, plans...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(g.patients) != 100 || len(g.plans) != 400 {
		t.Fatalf("%d persons with %d plans", len(g.patients), len(g.plans))
	}
	g.adopt(t)
	g.rename(t)
}

const (
	// The place of the reference to the patient: the same on the rows of all.
	linkSQL = `create temp table link as
select c.type, t.t # p.self as hash from resource p join resource c on c.person = p.person and c.rid < 10000000 cross join unnest(c.tok) t(t)
where p.type = 'Patient' and p.rid < 10000000 group by 1, 2 having count(distinct c.person) >= 50`

	// What the hash of the patient's name differs by, told by a plan that Sluse has written about her.
	differsSQL = `select p.person, n.tok[1] # l.hash # p.self from resource p, resource n, link l
where p.type = 'Patient' and p.id = $1 and n.type = 'CarePlan' and n.id = $2 and l.type = 'CarePlan' and cardinality(n.tok) = 1`

	adoptSQL = `update resource r set self = case when r.type = 'Patient' then r.self # $2 else r.self end,
  tok = array(select case when exists (select from link l where l.type = r.type and l.hash = t # p.self) then t # $2 else t end from unnest(r.tok) t)
from (select self from resource where person = $1 and type = 'Patient') p where r.person = $1`
)

// adopt gives those who are asked about the hash that their name has in Sluse: a search by another
// party's Patient finds what names it.
func (g *grown) adopt(t *testing.T) {
	ctx := t.Context()
	g.run(t, linkSQL)
	for i, patient := range g.patients {
		var copied bool
		id := strings.TrimPrefix(patient, "Patient/")
		if err := g.conn.QueryRow(ctx, `select rid > 10000000 from resource where type = 'Patient' and id = $1`, id).Scan(&copied); err != nil {
			t.Fatal(err)
		}
		plan, err := g.put("CarePlan", carePlan(patient, i))
		if err != nil {
			t.Fatal(err)
		}
		if !copied {
			continue
		}
		var person, differs int64
		if err := g.conn.QueryRow(ctx, differsSQL, id, strings.TrimPrefix(plan, "CarePlan/")).Scan(&person, &differs); err != nil {
			t.Fatalf("adopt: %v", err)
		}
		if _, err := g.conn.Exec(ctx, adoptSQL, person, differs); err != nil {
			t.Fatal(err)
		}
	}
}

// rename writes the names of copies into the bodies of those who are asked about: what a search
// includes, it finds there. A body is zstd of the bytes.
func (g *grown) rename(t *testing.T) {
	ctx := t.Context()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	for _, patient := range g.patients {
		rows, err := g.conn.Query(ctx, `
select c.rid, c.body, b.id, c.id, b.version, c.version from resource p join resource c on c.person = p.person join resource b on b.rid = c.rid % 10000000
where p.type = 'Patient' and p.id = $1 and p.rid > 10000000 and c.rid > 10000000`, strings.TrimPrefix(patient, "Patient/"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		bodies := map[int64][]byte{}
		var rid int64
		var body []byte
		var id, copied, version, again string
		if _, err := pgx.ForEachRow(rows, []any{&rid, &body, &id, &copied, &version, &again}, func() error {
			names = append(names, id, copied, version, again)
			plain, err := decoder.DecodeAll(body, nil)
			bodies[rid] = plain
			return err
		}); err != nil {
			t.Fatal(err)
		}
		renamed := strings.NewReplacer(names...)
		var batch pgx.Batch
		for rid, body := range bodies {
			batch.Queue(`update resource set body = $2 where rid = $1`, rid, encoder.EncodeAll([]byte(renamed.Replace(string(body))), nil))
		}
		if err := g.conn.SendBatch(ctx, &batch).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGrowth asks a store of ten thousand resources and one of a million the same, in turn, so that
// whatever else the machine does weighs on both.
func TestGrowth(t *testing.T) {
	small, large := stores(t)
	for _, g := range []*grown{small, large} {
		var n int
		if err := g.conn.QueryRow(t.Context(), `select count(*) from resource where person is not null`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d resources of persons", n)
	}
	t.Run("p50", func(t *testing.T) { growth(t, small, large) })
	t.Run("searches", func(t *testing.T) { fuzzed(t, large) })
}

// same demands that both stores answer the searches with as many resources of each type.
func same(t *testing.T, small, large *grown) {
	for _, w := range []row{rows[2], rows[3]} {
		var have [2]string
		for i, g := range []*grown{small, large} {
			req, err := w.request(&g.side, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, body, err := g.get(req.URL.RequestURI(), g.reader)
			if err != nil {
				t.Fatal(err)
			}
			have[i] = fmt.Sprintf("%d plans, %d goals", strings.Count(body, `{"resourceType":"CarePlan"`), strings.Count(body, `{"resourceType":"Goal"`))
		}
		if t.Logf("%s: %s", w.name, have[0]); have[0] != have[1] {
			t.Errorf("%s: %s on the small store, %s on the large one", w.name, have[0], have[1])
		}
	}
}

func growth(t *testing.T, small, large *grown) {
	same(t, small, large)
	client := &http.Client{}
	for _, w := range rows[:4] {
		var took [2][]time.Duration
		var pg [2]time.Duration
		for n := range rounds + 100 {
			for i, g := range []*grown{small, large} {
				before, begun := consumed(g.postgres), time.Now()
				if err := once(client, func(n int) (*http.Request, error) { return w.request(&g.side, n) }, n); err != nil {
					t.Fatalf("%s: %v", w.name, err)
				}
				if n >= 100 { // statements are prepared, persons decided, pages read
					took[i] = append(took[i], time.Since(begun))
					pg[i] += consumed(g.postgres) - before
				}
			}
		}
		slices.Sort(took[0])
		slices.Sort(took[1])
		a, b := took[0][rounds/2], took[1][rounds/2]
		ratio := float64(b) / float64(a)
		t.Logf("%-30s p50 %7.2f ms -> %7.2f ms: %.2f x; PostgreSQL %4d -> %4d µs", w.name, ms(a), ms(b), ratio, (pg[0] / rounds).Microseconds(), (pg[1] / rounds).Microseconds())
		if ratio > allowed {
			t.Errorf("%s grows %.2f times, allowed %.2f", w.name, ratio, allowed)
		}
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Copies of all that a person has. Hashes of names are changed by one salt for each copy: a
// reference is the hash of a name and of its place, so that copies name copies.
const (
	// A place that holds references to what is copied: the same on the rows of most persons.
	placesSQL = `create temp table place as
select r.type, t.t # o.self as hash from resource r join resource o on o.person = r.person and o.type in ('Patient', 'Goal') cross join unnest(r.tok) t(t)
group by 1, 2 having count(distinct r.person) > $1 / 2`

	seedSQL = `create temp table seed as
select r.*, array(select t from unnest(r.tok) t where not x.named @> array[t]) as plain, x.named from resource r
cross join lateral (select array(select t from unnest(r.tok) t where exists (
  select from place p join resource o on o.person = r.person and o.type in ('Patient', 'Goal') where p.type = r.type and p.hash = t # o.self)) as named) x
where r.person is not null`

	saltSQL = `create temp table salt as select k, hashtextextended('copy', k) as salt from generate_series(1, $1::int) k`
)

// stride lies between the numbers of a row and of its copy.
const stride = ` + k.k * 10000000::bigint`

// multiply makes the copies; every second one is of another party.
func (g *grown) multiply(t *testing.T) {
	ctx, begun := t.Context(), time.Now()
	for _, one := range []struct {
		sql string
		arg int
	}{{placesSQL, crowd}, {seedSQL, 0}, {saltSQL, copies}} {
		if one.arg == 0 {
			g.run(t, one.sql)
			continue
		}
		g.run(t, strings.Replace(one.sql, "$1", fmt.Sprint(one.arg), 1))
	}
	person := map[string]string{"person": "s.person" + stride}
	row := map[string]string{"rid": "s.rid" + stride}
	for from := 1; from <= copies; from += 9 {
		salts := fmt.Sprintf(` s cross join (select * from salt where k between %d and %d) k`, from, from+8)
		of := func(table string) string {
			return fmt.Sprintf(`(select v.* from %s v where v.rid < 10000000 and v.rid in (select rid from seed))`, table) + salts
		}
		whose := func(table string) string {
			return fmt.Sprintf(`(select v.* from %s v where v.person < 10000000)`, table) + salts
		}
		g.copied(ctx, t, "person", whose("person"), person)
		g.copied(ctx, t, "epoch", whose("epoch"), person)
		g.copied(ctx, t, "grant_", whose("grant_"), person)
		g.copied(ctx, t, "resource", "seed"+salts, map[string]string{
			"rid": row["rid"], "person": person["person"], "vkey": "nextval('version_key')", "self": "s.self # k.salt",
			"id": "md5(s.id || k.k)", "version": "md5(s.version || k.k)", "subject": "md5(s.subject || k.k)", "updated": "s.updated - k.k * interval '1 hour'",
			"tok":       "s.plain || array(select n # k.salt from unnest(s.named) n)",
			"custodian": "case when k.k % 2 = 0 then s.custodian else coalesce((select a.her from address a where a.type = 'Organization' and a.her <> '' and a.her <> s.custodian order by a.her offset k.k / 2 % 8 limit 1), s.custodian) end",
		})
		for _, table := range []string{"text_value", "word_value", "date_value", "amount_value", "part_value"} {
			g.copied(ctx, t, table, of(table), row)
		}
	}
	for _, sql := range []string{
		`select setval(pg_get_serial_sequence('resource', 'rid'), (select max(rid) from resource))`,
		`select setval(pg_get_serial_sequence('person', 'person'), (select max(person) from person))`, `checkpoint`,
	} {
		g.run(t, sql)
	}
	t.Logf("filled in %v", time.Since(begun).Round(time.Second))
}

func (g *grown) run(t *testing.T, sql string) {
	t.Helper()
	if _, err := g.conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("%.120s: %v", sql, err)
	}
}

// copied inserts into a table what a source s gives, with some columns changed.
func (g *grown) copied(ctx context.Context, t *testing.T, table, from string, changed map[string]string) {
	t.Helper()
	rows, err := g.conn.Query(ctx, `select column_name::text from information_schema.columns where table_name = $1 and table_schema = 'public' order by ordinal_position`, table)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(columns) == 0 {
		t.Fatalf("columns of %s: %v", table, err)
	}
	values := make([]string, len(columns))
	for i, c := range columns {
		if values[i] = changed[c]; values[i] == "" {
			values[i] = "s." + c
		}
	}
	g.run(t, `insert into `+table+` (`+strings.Join(columns, ", ")+`) overriding system value select `+strings.Join(values, ", ")+` from `+from)
}
