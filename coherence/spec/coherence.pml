/*
 * Coherence of one cached result over a store that is not atomic across keys.
 *
 * One tag, with a unique token and a count of holds; one entry, which is a value
 * with the token it was filled under.
 *
 *   Writer  hold (count up, then a new token), commit, release (a new token, then
 *           count down), acknowledge. It may crash before or after the commit;
 *           then its hold lapses at some time, and nobody gives a new token.
 *   Reader  reads the entry, then the token, then the holds, one by one. It hits
 *           if the token is that of the entry and nobody holds. Otherwise it
 *           reads the database, and fills under the token it read before, if
 *           nobody held.
 *
 * Property: no result is older than (a) the newest write acknowledged before the
 * read began and (b) the newest result of a read that ended before it began.
 *
 * Steps that can be changed, each of which breaks the property:
 *   -DHFIRST         readers read the holds before the token
 *   no -DBUMPBEFORE  writers give no new token when they hold
 *   -DNOHOLD         writers hold nothing
 * Sizes: -DREADS=n reads of each reader (2), -DW2 two writers, -DR3 three readers.
 */

#ifndef READS
#define READS 2
#endif

byte db = 0;              /* the version in the database */
byte acked = 0, seen = 0; /* the newest acknowledged, and the newest returned */
byte tok = 1, nexttok = 2;
byte holds = 0;
byte ev = 0, et = 0;      /* the entry: its version and its token; 0 is no token */
bool crash_left = true;
byte stuckholds = 0;      /* holds of writers that have crashed */

inline newtok() { atomic { tok = nexttok; nexttok++ } }

inline maycrash() {
  if
  :: crash_left -> crash_left = false; stuckholds++; goto dead
  :: skip
  fi
}

proctype Writer() {
  byte v;
#ifndef NOHOLD
  holds++;
#ifdef BUMPBEFORE
  newtok();
#endif
#endif
  maycrash();
  atomic { db++; v = db }
  maycrash();
  atomic {
    if
    :: acked < v -> acked = v
    :: else
    fi
  }
  maycrash();
  newtok();
#ifndef NOHOLD
  holds--;
#endif
dead:
  skip
}

/* The hold of a crashed writer lapses at some time. */
proctype Lease() {
  do
  :: atomic { stuckholds > 0 && holds > 0 -> stuckholds--; holds-- }
  :: timeout -> break
  od
}

proctype Reader() {
  byte atleast, t, h, r, lv, lt;
  byte n = 0;
  do
  :: n < READS ->
    atomic {
      atleast = acked;
      if
      :: seen > atleast -> atleast = seen
      :: else
      fi
    }
    atomic { lv = ev; lt = et }
#ifdef HFIRST
    h = holds; t = tok;
#else
    t = tok; h = holds;
#endif
#ifdef NOHOLD
    h = 0;
#endif
    if
    :: h == 0 && lt == t -> r = lv
    :: else ->
      r = db;
      if
      :: h == 0 -> atomic { ev = r; et = t }
      :: else
      fi
    fi;
    assert(r >= atleast);
    atomic {
      if
      :: seen < r -> seen = r
      :: else
      fi
    }
    n++
  :: else -> break
  od
}

init {
  atomic {
    run Writer();
#ifdef W2
    run Writer();
#endif
    run Reader(); run Reader();
#ifdef R3
    run Reader();
#endif
    run Lease()
  }
}
