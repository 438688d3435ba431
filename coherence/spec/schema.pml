/*
 * A change of the schema beside a write of another process, which was told by the facts from before
 * (coherence/schema.go). The change makes a trigger: the write changes relation Q besides. Q has one tag
 * and one entry, which depends on * too.
 *
 *   Change   holds * and #schema; makes the trigger; waits for the holds of #facts; releases. It may be killed
 *            after it has made the trigger: then its holds lapse.
 *   Write    holds #facts, sees #schema not held, reads the facts; holds Q if they tell; is ready: if its process was
 *            stopped for a lease, or has seen #schema move, it holds *; commits; releases.
 *   Watch    sees that #schema has moved; holds * while a write is under way; when it has ended releases #facts.
 *   Stop     stops the writer's process: its holds lapse. Only before it is ready: later the database ends
 *            the transaction, whose idle timeout is shorter than what is left of the lease.
 *   Reader   as in coherence.pml, of Q.
 *
 * Property: as in coherence.pml.
 *
 * Steps that can be changed, each of which breaks the property:
 *   -DHASTY     the change waits for nobody
 *   -DNOREADY   the write isn't made ready
 *   -DNOCOVER   the watch holds nothing
 *   -DLATEFACTS the write reads the facts before it holds #facts
 * What is not covered:
 *   -DAUTOCOMMIT  the process is stopped between ready and a statement that no transaction's timeout ends
 */
#ifndef READS
#define READS 2
#endif

byte q = 0, acked = 0, seen = 0;     /* the version of Q */
byte next = 2;
bool trigger = false;
byte alltok = 1, qtok = 1; byte allheld = 0, qheld = 0;
bool schemaheld = false, schemamoved = false;   /* moved: since the facts were read */
bool facts = false;                  /* the hold of #facts is in force */
bool writing = false, moved = false, lapsed = false, ready = false, done = false, covered = false;
bool all = false, mine = false;      /* what the write holds */
bool killed = false, changed = false;
byte ev = 0, eall = 0, eq = 0;

inline newall() { alltok = next; next++ }
inline newq() { qtok = next; next++ }

proctype Change() {
  atomic { allheld++; newall() }
  atomic { schemaheld = true; if :: facts -> schemamoved = true :: else fi }
  atomic { trigger = true; changed = true }
  if
  :: true
  :: atomic { killed = true; goto dead }
  fi;
#ifndef HASTY
  !facts;
#endif
  atomic { newall(); allheld-- }
  schemaheld = false;
dead: skip
}

/* The holds of a change that was killed lapse; who relies on the facts has seen by then that they have moved. */
proctype Lapse() {
  if
  :: atomic { killed && (!facts || moved || lapsed) -> allheld--; schemaheld = false }
  :: timeout
  fi
}

proctype Write() {
  bool knows;
  byte v = 0;
#ifdef LATEFACTS
  atomic { !schemaheld -> knows = trigger; writing = true }
  facts = true;
#else
  atomic { facts = true; writing = true }
  if
  :: schemaheld -> atomic { facts = false; writing = false; goto out }    /* isn't told */
  :: atomic { !schemaheld -> skip }
  fi;
  knows = trigger;
#endif
  atomic { if :: knows -> mine = true; qheld++; newq() :: else fi }
#ifndef NOREADY
  atomic {
    if
    :: moved || lapsed -> all = true; allheld++; newall()
    :: else
    fi;
    ready = true
  }
#else
  ready = true;
#endif
  atomic { if :: trigger -> q++; v = q :: else fi }
  atomic { if :: acked < v -> acked = v :: else fi; writing = false; done = true }
  atomic { if :: mine && !lapsed -> newq(); qheld-- :: mine && lapsed -> newq() :: else fi }
  atomic { if :: all -> newall(); allheld-- :: else fi }
out: skip
}

proctype Watch() {
  if
  :: atomic { schemamoved && facts && !done ->
       moved = true;
#ifndef NOCOVER
       if :: writing -> covered = true; allheld++; newall() :: else fi
#endif
     }
     !writing;
     atomic { if :: covered -> newall(); allheld-- :: else fi }
     facts = false
  :: atomic { done && facts -> facts = false }
  :: timeout
  fi
}

proctype Stop() {
  if
#ifdef AUTOCOMMIT
  :: atomic { writing && !lapsed && !moved -> lapsed = true; facts = false; if :: mine -> qheld-- :: else fi; if :: all -> allheld--; all = false :: else fi }
#else
  :: atomic { writing && !ready && !moved -> lapsed = true; facts = false; if :: mine -> qheld-- :: else fi }
#endif
  :: skip
  fi
}

proctype Reader() {
  byte atleast, ta, tq, r, lv, la, lq;
  bool held;
  byte n = 0;
  do
  :: n < READS ->
    atomic { atleast = acked; if :: seen > atleast -> atleast = seen :: else fi }
    atomic { lv = ev; la = eall; lq = eq }
    ta = alltok; tq = qtok;
    held = (allheld != 0); held = held || qheld != 0;
    if
    :: !held && la == ta && lq == tq -> r = lv
    :: else ->
      r = q;
      if :: !held -> atomic { ev = r; eall = ta; eq = tq } :: else fi
    fi;
    assert(r >= atleast);
    atomic { if :: seen < r -> seen = r :: else fi }
    d_step { n++; atleast = 0; ta = 0; tq = 0; r = 0; lv = 0; la = 0; lq = 0; held = false }
  :: else -> break
  od
}

init { atomic { run Change(); run Write(); run Watch(); run Stop(); run Lapse(); run Reader(); run Reader() } }
