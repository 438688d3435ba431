/*
 * How a shape comes into use: one relation R, one shape S, one slice of it.
 *
 * Three tags: R? (every change), R* (whose members are the shapes; it lives and
 * dies with them) and the slice. A tag is a token and a count of holds.
 *
 *   Reader  reads the members of R* with its token t. Without S it joins "S?"
 *           under t, reads the token and the holds of R?, and if nobody holds
 *           joins "S" under t; its result is of R?. If somebody does, it joins "S" under t
 *           once all have ended who did, whoever has come since. With S it reads the tokens of
 *           R* and of the slice, then the holds; its result is of both, and is
 *           kept only if R* has t still.
 *   Writer  holds R?, reads the members, holds the slice if S is in use or
 *           proposed, commits, releases.
 *   Upkeep  R* is evicted, with its members, or S parts from them, at any time.
 *
 * Property: no result is older than the newest write acknowledged before the read
 * began, nor than the newest result of a read that ended before it began.
 *
 * Steps that can be changed, each of which breaks the property:
 *   -DMEMBERSFIRST   writers read the members before they hold R?, not after
 *   -DNOLOOK         readers put S in use without having looked at R?'s holds
 *   -DHASTY          readers put S in use though somebody holds R? who did when S was proposed
 *   -DHOLDERSFIRST   readers look who holds R? before they propose S
 *   -DNOPROPOSAL     readers put S in use without having proposed it
 *   -DANYJOIN        join doesn't ask for the token
 *   -DANYMEMBERS     readers keep results of the slice whatever token R* has
 *   -DPARTKEEPS      a shape that parts leaves R* its token
 * Sizes: -DREADS=n reads of each reader (2), -DW2 two writers (with two readers more states than a
 * test can look at), -DONE one reader, -DPARTS that S parts instead of that R* is evicted, -DSTILL that neither happens.
 */

#ifndef READS
#define READS 2
#endif

byte db = 0;
byte acked = 0, seen = 0;
byte any = 1, wide = 1, slice = 1;    /* the tokens of R?, R* and the slice; each is only compared with its own */
byte anyheld = 0, sliceheld = 0;      /* the holds of R?, a bit for each writer, and how many of the slice */
bool prop = false, used = false;      /* the members of R*: "S?" and "S" */

/* The entry: its value, and the token of R? or those of R* and the slice; 0 is none. */
byte ev = 0, eany = 0, ewide = 0, eslice = 0;

inline join(t, member) {
  atomic {
    if
#ifdef ANYJOIN
    :: true -> member = true
#else
    :: t == wide -> member = true
    :: else
#endif
    fi
  }
}

proctype Writer(byte me) {
  byte v;
  bool mine = false;
#ifdef MEMBERSFIRST
  mine = prop || used;
#endif
  anyheld = anyheld | me;
  any++;
#ifndef MEMBERSFIRST
  mine = prop || used;
#endif
  if
  :: mine -> sliceheld++; slice++
  :: else
  fi;
  atomic { db++; v = db }
  atomic {
    if
    :: acked < v -> acked = v
    :: else
    fi
  }
  any++;
  anyheld = anyheld & ~me;
  if
  :: mine -> slice++; sliceheld--
  :: else
  fi
}

proctype Upkeep() {
  if
#ifdef STILL
#else
#ifdef PARTS
#ifdef PARTKEEPS
  :: atomic { used = false; prop = false }
#else
  :: atomic { used = false; prop = false; wide++ }
#endif
#else
  :: atomic { used = false; prop = false; wide++ }
#endif
#endif
  :: skip
  fi
}

proctype Reader() {
  byte atleast, t, a, w, s, r, lv, la, lw, ls, who;
  bool isin, held, fresh;
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
    /* the entry alone: its tokens, then the holds of its tags */
    atomic { lv = ev; la = eany; lw = ewide; ls = eslice }
    if
    :: la != 0 ->
      fresh = (la == any);
      fresh = fresh && anyheld == 0
    :: la == 0 && lw != 0 ->
      fresh = (lw == wide);
      fresh = fresh && ls == slice;
      fresh = fresh && sliceheld == 0
    :: else -> fresh = false
    fi;
    if
    :: fresh -> r = lv
    :: else ->
      atomic { t = wide; isin = used }
      if
      :: isin ->
        w = wide; s = slice;
        held = (sliceheld != 0);
        r = db;
        if
#ifdef ANYMEMBERS
        :: !held -> atomic { ev = r; eany = 0; ewide = w; eslice = s }
#else
        :: !held && w == t -> atomic { ev = r; eany = 0; ewide = w; eslice = s }
#endif
        :: else
        fi
      :: else ->
#ifdef HOLDERSFIRST
        who = anyheld;
#endif
#ifndef NOPROPOSAL
        join(t, prop);
#endif
        a = any;
        held = (anyheld != 0);
        if
#ifdef NOLOOK
        :: true -> join(t, used)
#else
        :: !held -> join(t, used)
        :: else
#endif
        fi;
        r = db;
        if
        :: !held -> atomic { ev = r; eany = a; ewide = 0; eslice = 0 }
        :: held ->
#ifndef HOLDERSFIRST
          who = anyheld;
#endif
          if                          /* a later read that is held, too, does this */
#ifdef HASTY
          :: true -> join(t, used)
#else
          :: (anyheld & who) == 0 -> join(t, used)
#endif
          :: skip
          fi
        fi
      fi
    fi;
    assert(r >= atleast);
    atomic {
      if
      :: seen < r -> seen = r
      :: else
      fi
    }
    d_step { n++; atleast = 0; t = 0; a = 0; w = 0; s = 0; r = 0; lv = 0; la = 0; lw = 0; ls = 0; who = 0;
      isin = false; held = false; fresh = false }
  :: else -> break
  od
}

init {
  atomic {
    run Writer(1);
#ifdef W2
    run Writer(2);
#endif
    run Reader();
#ifndef ONE
    run Reader();
#endif
    run Upkeep()
  }
}
