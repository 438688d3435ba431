/*
 * A store that drops any key at any time, without telling: one tag, and the stripe
 * in which its holds are noted a second time (docs/design/0005). The register of 0006 is a stripe
 * that the tag's key doesn't share either.
 *
 *   Writer   notes its mark in the stripe; in the tag, if it is there, mark and new token; commits;
 *            releases. While it lives it renews: marks that are gone are made again. It may crash
 *            before or after the commit; then its marks lapse at some time.
 *   Reader   asks for the entry, then the tag. A missing tag is made, suspect; a suspect tag counts as held, and is
 *            cleared, by its token, if nobody is in the stripe. A missing stripe is made with a mark of nobody's.
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
 * What is not covered, a pair of faults:
 *   -DLATECOMMIT   the writer is killed, and the database commits what it had sent after its lease
 */
#ifndef EVICTS
#define EVICTS 2
#endif
#ifndef READS
#define READS 2
#endif

byte db = 0, acked = 0, seen = 0;
byte next = 2;                       /* tokens */
bool tag = true, suspect = false, mark = false; byte tok = 1;
bool stripe = true, noted = false, nobody = false;
bool holds = false;                  /* the writer's hold is in force: it lives, or its lease lasts */
bool crashed = false, sent = false;
byte ev = 0, et = 0;
byte evicts = EVICTS;

inline note() {
  if
#ifndef TRUSTEMPTY
  :: !stripe -> stripe = true; nobody = true
#else
  :: !stripe -> stripe = true
#endif
  :: else
  fi;
  noted = true
}
inline newtok() { tok = next; next++ }

proctype Writer() {
  byte v;
  atomic { holds = true; note() }
  atomic { if :: tag -> mark = true; newtok() :: else fi }
  if
  :: true
  :: atomic { crashed = true; goto dead }
#ifdef LATECOMMIT
  :: atomic { crashed = true; sent = true; goto dead }
#endif
  fi;
  atomic { db++; v = db }
  if
  :: true
  :: atomic { crashed = true; goto dead }
  fi;
  atomic { if :: tag -> newtok(); mark = false :: else fi }
  atomic { noted = false; holds = false }
  atomic { if :: acked < v -> acked = v :: else fi }
dead: skip
}

proctype Store() {
  do
  :: atomic { evicts > 0 && tag -> evicts--; tag = false; mark = false; suspect = false }
  :: atomic { evicts > 0 && stripe -> evicts--; stripe = false; noted = false; nobody = false }
  :: atomic { holds && !crashed && !noted && stripe -> noted = true }                   /* renewal */
#ifdef NORENEW
  :: atomic { nobody -> nobody = false }
#else
  :: atomic { nobody && (!holds || noted) -> nobody = false }
#endif
  :: atomic { crashed && holds -> holds = false; noted = false; if :: mark -> mark = false; newtok() :: else fi }
  :: atomic { sent && !holds -> sent = false; db++ }
  :: timeout -> break
  od
}

proctype Reader() {
  byte atleast, t, r, lv, lt, st;
  bool held;
  byte n = 0;
  do
  :: n < READS ->
    atomic { atleast = acked; if :: seen > atleast -> atleast = seen :: else fi }
    atomic { lv = ev; lt = et }
    atomic {
      if
#ifdef NOSTRIPE
      :: !tag -> tag = true; suspect = false; newtok()
#else
      :: !tag -> tag = true; suspect = true; newtok()
#endif
      :: else
      fi;
      t = tok; st = suspect; held = mark || suspect
    }
    if
    :: st ->
      atomic {
        if
#ifdef TRUSTEMPTY
        :: !stripe -> stripe = true
#else
        :: !stripe -> stripe = true; nobody = true
#endif
        :: else
        fi;
        st = (noted || nobody)
      }
      atomic {
        if
#ifdef CLEARANY
        :: !st && tag -> suspect = false; held = mark; t = tok
#else
        :: !st && tag && tok == t -> suspect = false; held = mark
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
    d_step { n++; atleast = 0; t = 0; r = 0; lv = 0; lt = 0; st = 0; held = false }
  :: else -> break
  od
}

init { atomic { run Writer(); run Reader(); run Reader(); run Store() } }
