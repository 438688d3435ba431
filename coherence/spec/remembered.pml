/*
 * Shapes in use, by processes that remember them: shapes.pml with what a shared store said last.
 *
 * One relation R, one shape S, one slice. A process remembers the token of R* and whether S was among its
 * members, and may go on by that whatever has become of it.
 *
 *   Reader   by what it remembers, S in use under t: reads the tokens of R* and the slice, then holds; keeps its result
 *            only if R* has t. Else asks for the members now, and is as in shapes.pml.
 *   Writer   holds R?, and the slice if it remembers S; then looks at the members; holds the slice if S is
 *            among them now, in use or proposed; commits; releases.
 *   Upkeep   R* is evicted, with its members.
 *
 * Property: as in shapes.pml.
 *
 * Steps that can be changed, each of which breaks the property:
 *   -DNOLOOK    writers go by what they remember
 *   -DLOOKFIRST writers look before R? is held
 *   -DNOCLAIM   readers don't compare the token of R* with the one they remember
 */
#ifndef READS
#define READS 2
#endif

byte db = 0, acked = 0, seen = 0;
byte any = 1, wide = 1, slice = 1;
byte anyheld = 0, sliceheld = 0;
bool prop = false, used = false;
byte kt = 0;                          /* what the readers' process remembers: S in use under this token of R*; 0: nothing */
byte ev = 0, eany = 0, ewide = 0, eslice = 0;

proctype Writer() {                   /* its process remembers that there are no shapes */
  byte v;
  bool mine = false;
#ifdef LOOKFIRST
  mine = prop || used;
#endif
  anyheld++;
  any++;
#ifndef NOLOOK
#ifndef LOOKFIRST
  mine = prop || used;
#endif
#endif
  if :: mine -> sliceheld++; slice++ :: else fi;
  atomic { db++; v = db }
  atomic { if :: acked < v -> acked = v :: else fi }
  any++;
  anyheld--;
  if :: mine -> slice++; sliceheld-- :: else fi
}

proctype Upkeep() {
  if
  :: atomic { used = false; prop = false; wide++ }
  :: skip
  fi
}

proctype Reader() {
  byte atleast, t, a, w, s, r, lv, la, lw, ls;
  bool isin, held, fresh;
  byte n = 0;
  do
  :: n < READS ->
    atomic { atleast = acked; if :: seen > atleast -> atleast = seen :: else fi }
    atomic { lv = ev; la = eany; lw = ewide; ls = eslice }
    if
    :: la != 0 -> fresh = (la == any); fresh = fresh && anyheld == 0
    :: la == 0 && lw != 0 -> fresh = (lw == wide); fresh = fresh && ls == slice; fresh = fresh && sliceheld == 0
    :: else -> fresh = false
    fi;
    if
    :: fresh -> r = lv
    :: else ->
      atomic {
        if
        :: kt != 0 -> t = kt; isin = true
        :: kt == 0 -> t = wide; isin = used; if :: used -> kt = wide :: else fi
        fi
      }
      if
      :: isin ->
        w = wide; s = slice;
        held = (sliceheld != 0);
        r = db;
        if
#ifdef NOCLAIM
        :: !held -> atomic { ev = r; eany = 0; ewide = w; eslice = s }
#else
        :: !held && w == t -> atomic { ev = r; eany = 0; ewide = w; eslice = s }
        :: w != t -> kt = 0
#endif
        :: else
        fi
      :: else ->
        atomic { if :: t == wide -> prop = true :: else fi }
        a = any;
        held = (anyheld != 0);
        if
        :: !held -> atomic { if :: t == wide -> used = true :: else fi }
        :: else
        fi;
        r = db;
        if :: !held -> atomic { ev = r; eany = a; ewide = 0; eslice = 0 } :: else fi
      fi
    fi;
    assert(r >= atleast);
    atomic { if :: seen < r -> seen = r :: else fi }
    d_step { n++; atleast = 0; t = 0; a = 0; w = 0; s = 0; r = 0; lv = 0; la = 0; lw = 0; ls = 0;
      isin = false; held = false; fresh = false }
  :: else -> break
  od
}

init { atomic { run Writer(); run Reader(); run Reader(); run Upkeep() } }
