/*
 * A store that can't be reached, and a process that is stopped (coherence/fence.go, Hold.Ready). One tag, one entry;
 * a writer and a reader in one process, a reader in another.
 *
 *   Writer   holds, or can't: then its process is fenced, and it goes on. Is ready: if it was stopped for a lease
 *            it holds anew. Commits; releases, or tries until it can. Acknowledges in any case.
 *   Stop     stops the writer, whose hold lapses. Once it is ready the database ends its transaction.
 *   Reader   as in coherence.pml; in the fenced process it asks the database, and keeps nothing.
 *
 * Property: as in coherence.pml; but a reader in another process may return what was before a write that could
 * not be held, until the store was told of it.
 *
 * Steps that can be changed, each of which breaks the property:
 *   -DNOFENCE    the process reads on
 *   -DNOREADY    the writer isn't made ready
 *   -DGIVEUP     the store isn't told later
 * What is not covered:
 *   -DAUTOCOMMIT the process is stopped between ready and a statement that no transaction's timeout ends
 *   -DKILLED     a pair of faults: the store can't be reached at the hold, and the process is killed before it can tell
 */
#ifndef READS
#define READS 2
#endif

byte db = 0, acked = 0, seen = 0, seenhere = 0;
byte tok = 1, next = 2, holds = 0;
byte ev = 0, et = 0;
bool fence = false, excused = false, cut = true, holding = false, ready = false, stood = false;

inline newtok() { tok = next; next++ }

proctype Net() { cut = false }

proctype Writer() {
  byte v;
  bool loose = false;
  if
  :: atomic { !cut -> holds++; holding = true }
     newtok()
  :: atomic { cut -> loose = true; excused = true;
#ifndef NOFENCE
       fence = true
#endif
     }
  fi;
#ifndef NOREADY
  atomic { if :: !loose && stood && !holding -> holds++; holding = true; newtok() :: else fi; ready = true }
#else
  ready = true;
#endif
  atomic { db++; v = db }
  atomic { if :: acked < v -> acked = v :: else fi }
  if
  :: atomic { cut && !loose -> loose = true;
#ifndef NOFENCE
       fence = true
#endif
     }
  :: true
  fi;
  atomic { if :: !loose -> newtok(); if :: holding -> holds--; holding = false :: else fi :: else fi }
  if
  :: !loose
  :: loose ->
#ifdef KILLED
     atomic { excused = false; fence = false; goto dead }
#endif
     !cut;
#ifndef GIVEUP
     atomic { newtok(); if :: holding -> holds--; holding = false :: else fi }
#endif
     atomic { fence = false; excused = false }
  fi;
dead: skip
}

proctype Stop() {
  if
#ifdef AUTOCOMMIT
  :: atomic { holding && db == 0 -> holding = false; holds--; stood = true }
#else
  :: atomic { holding && !ready -> holding = false; holds--; stood = true }
#endif
  :: skip
  fi
}

proctype Reader(bool here) {
  byte atleast, t, h, r, lv, lt;
  byte n = 0;
  do
  :: n < READS ->
    atomic {
      atleast = 0;
      if
      :: here || !excused -> atleast = acked; if :: seen > atleast -> atleast = seen :: else fi
      :: else
      fi
    }
    if
    :: here && fence -> r = db
    :: else ->
      atomic { lv = ev; lt = et }
      t = tok; h = holds;
      if
      :: h == 0 && lt == t -> r = lv
      :: else ->
        r = db;
        if :: h == 0 && !(here && fence) -> atomic { ev = r; et = t } :: else fi
      fi
    fi;
    assert(r >= atleast || !here && excused);
    atomic { if :: seen < r && (here || !excused) -> seen = r :: else fi }
    d_step { n++; atleast = 0; t = 0; h = 0; r = 0; lv = 0; lt = 0 }
  :: else -> break
  od
}

init { atomic { run Net(); run Writer(); run Stop(); run Reader(true); run Reader(false) } }
