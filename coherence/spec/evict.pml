/*
 * A store that drops any key at any time, without telling: one tag, and the stripe
 * in which its holds are noted a second time (docs/design/0005). The register of 0006 is a stripe
 * that the tag's key doesn't share either.
 *
 *   Writer   notes its mark in the stripe; in the tag, if it is there, mark and new token; commits;
 *            releases. While it lives it renews: marks that are gone are made again. It may crash
 *            before or after the commit; then its marks lapse at some time.
 *   Reader   asks for the entry, then the tag. A missing tag is made, suspect; a suspect tag counts as held, and is
 *            cleared, by its token, if of those who were in the stripe at a first look after that nobody is at this one.
 *            A missing stripe is made with a mark of nobody's.
 *   Nobody   lapses when all holds from before have lapsed, or were renewed.
 *   Evict    drops tag or stripe, EVICTS times in all.
 *
 * Property: no result is older than the newest write acknowledged, or result returned, before the read began.
 *
 * Steps that can be changed, each of which breaks the property:
 *   -DNOSTRIPE     a missing tag is not suspect
 *   -DTRUSTEMPTY   a missing stripe is made with no mark
 *   -DCLEARANY     a suspect tag is cleared whatever its token
 *   -DNORENEW      nobody's mark lapses before holds from before are renewed
 *   -DFORGETS      a suspect tag is cleared at a second look, whoever is in the stripe
 *   -DANYTOKEN     the first look may have been for another token
 *   -DANYSTRIPE    the first look may have been at a stripe with a mark of nobody's
 * What is not covered, a pair of faults:
 *   -DLATECOMMIT   the writer is killed, and the database commits what it had sent after its lease
 */
/* Sizes are WRITERS, READS, EVICTS; -DONE: one reader and a witness, who asks the database alone; -DKEEPS: stripes aren't dropped. */
#ifndef EVICTS
#define EVICTS 2
#endif
#ifndef READS
#define READS 2
#endif
#ifndef WRITERS
#define WRITERS 1
#endif

byte db = 0, acked = 0, seen = 0;
byte next = 2;                       /* tokens */
bool tag = true; byte tok = 1;
byte suspect = 0;                    /* the token with which the tag was made, until it is cleared */
bool stripe = true, nobody = false;
byte marks = 0, noted = 0;           /* the writers' marks in the tag and in the stripe, as bits */
byte holds = 0;                      /* whose hold is in force: it lives, or its lease lasts */
byte crashed = 0, sent = 0;
byte ev = 0, et = 0;
byte evicts = EVICTS;

inline note(w) {
  if
#ifndef TRUSTEMPTY
  :: !stripe -> stripe = true; nobody = true
#else
  :: !stripe -> stripe = true
#endif
  :: else
  fi;
  noted = noted | w
}
inline newtok() { tok = next; next++ }

proctype Writer(byte w) {
  byte v;
  atomic { holds = holds | w; note(w) }
  atomic { if :: tag -> marks = marks | w; newtok() :: else fi }
  if
  :: true
  :: atomic { crashed = crashed | w; goto dead }
#ifdef LATECOMMIT
  :: atomic { crashed = crashed | w; sent = sent | w; goto dead }
#endif
  fi;
  atomic { db++; v = db }
  if
  :: true
  :: atomic { crashed = crashed | w; goto dead }
  fi;
  atomic { if :: acked < v -> acked = v :: else fi }
  if
  :: true
  :: atomic { crashed = crashed | w; goto dead }
  fi;
  atomic { if :: tag -> newtok(); marks = marks & ~w :: else fi }
  atomic { noted = noted & ~w; holds = holds & ~w }
dead: skip
}

/* look tells whether a suspect tag may be cleared: st. A look at a stripe that may have lost marks tells nothing. */
inline look() {
  st = !nobody;
#ifndef ANYSTRIPE
  if
  :: st ->
#endif
    if
#ifdef ANYTOKEN
    :: wast != 0 -> was = was & noted
#else
    :: wast == at -> was = was & noted
#endif
    :: else -> was = noted
    fi;
#ifdef FORGETS
    if :: wast == at -> was = 0 :: else fi;
#endif
    wast = at;
    st = st && !was;
    if :: st -> wast = 0; was = 0 :: else fi
#ifndef ANYSTRIPE
  :: else
  fi
#endif
}

inline lives(w) {
  (holds & w) && !(crashed & w) && !(noted & w) && stripe -> noted = noted | w
}
inline lapses(w) {
  (crashed & w) && (holds & w) -> holds = holds & ~w; noted = noted & ~w;
  if :: marks & w -> marks = marks & ~w; newtok() :: else fi
}

proctype Store() {
  do
  :: atomic { evicts > 0 && tag -> evicts--; tag = false; marks = 0; suspect = 0 }
#ifndef KEEPS
  :: atomic { evicts > 0 && stripe -> evicts--; stripe = false; noted = 0; nobody = false }
#endif
  :: atomic { lives(1) }                                                                  /* renewal */
  :: atomic { lapses(1) }
  :: atomic { (sent & 1) && !(holds & 1) -> sent = sent & ~1; db++ }
#if WRITERS > 1
  :: atomic { lives(2) }
  :: atomic { lapses(2) }
#endif
#ifdef NORENEW
  :: atomic { nobody -> nobody = false }
#else
  :: atomic { nobody && !(holds & ~noted) -> nobody = false }
#endif
  :: timeout -> break
  od
}

proctype Reader() {
  byte atleast, t, r, lv, lt, at;
  byte was, wast;                    /* who was in the stripe at the looks at a suspect tag of that token */
  bool held, st;
  byte n = 0;
  do
  :: n < READS ->
    atomic { atleast = acked; if :: seen > atleast -> atleast = seen :: else fi }
    atomic { lv = ev; lt = et }
    atomic {
      if
#ifdef NOSTRIPE
      :: !tag -> tag = true; suspect = 0; newtok()
#else
      :: !tag -> tag = true; newtok(); suspect = tok
#endif
      :: else
      fi;
      t = tok; at = suspect; held = marks || suspect
    }
    if
    :: at ->
      atomic {
        if
#ifdef TRUSTEMPTY
        :: !stripe -> stripe = true
#else
        :: !stripe -> stripe = true; nobody = true
#endif
        :: else
        fi;
        look()
      }
      atomic {
        if
#ifdef CLEARANY
        :: st && tag -> suspect = 0; held = marks; t = tok
#else
        :: st && tag && suspect == at -> suspect = 0; held = marks; t = tok
#endif
        :: else
        fi
      }
    :: else
    fi;
    if
    :: !held && lt == t -> r = lv
    :: else ->
      r = db;
      if :: !held -> atomic { ev = r; et = t } :: else fi
    fi;
    assert(r >= atleast);
    atomic { if :: seen < r -> seen = r :: else fi }
    d_step { n++; atleast = 0; t = 0; r = 0; lv = 0; lt = 0; at = 0; st = false; held = false }
  :: else -> break
  od
}

proctype Witness() {
  atomic { if :: seen < db -> seen = db :: else fi }
}

init {
  atomic {
    run Writer(1);
#if WRITERS > 1
    run Writer(2);
#endif
    run Reader();
#ifdef ONE
    run Witness();
#else
    run Reader();
#endif
    run Store()
  }
}
