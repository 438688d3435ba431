/*
 * A write of which only the database's answer tells the rows, in a store of one process
 * (coherence/pause.go). One slice and the tag of its shape, R(S)*; one entry, of both.
 *
 *   Writer   marks R(S)*, which keeps its token; the statement commits, and tells the slice; marks the slice and gives
 *            it a new token; gives it another, and takes its mark away; takes the mark of R(S)* away; acknowledges.
 *            It may crash before or after the commit: then its mark lapses, and R(S)* gets a new token.
 *   Other    the same, of another slice of S, so that the entry is found again while it is known to be good.
 *   Reader   reads the marks, then the tokens, then the marks again, one by one. It hits if they are those of the entry and
 *            nothing is marked. Otherwise it reads the database, and fills under the tokens it read before, if nothing
 *            was marked and they are still those of the tags.
 *
 * Property: no result is older than the newest write acknowledged, or result returned, before the read began.
 *
 * Steps that can be changed, each of which but one breaks the property:
 *   -DNOPAUSE       R(S)* isn't marked
 *   -DEARLYRESUME   its mark is taken away before the slice is marked
 *   -DRELEASELAST   … before the slice is released, which is marked and has a new token by then: this breaks nothing
 *   -DMARKSAFTER    readers read the marks only after the tokens
 *   -DKEEPSTOKEN    … and doesn't
 */
#ifndef READS
#define READS 2
#endif

byte db = 0, acked = 0, seen = 0;
byte next = 3;
byte wtok = 1, stok = 2;          /* the tokens of R(S)* and of the slice */
byte wmarks = 0, smarks = 0;
byte ev = 0, ew = 0, es = 0;      /* the entry, and its tokens */
#ifdef W2
bool crash_left = false;
#else
bool crash_left = true;
#endif
byte stuck = 0;

inline newtok(tok) { atomic { tok = next; next++ } }

inline pause() {
#ifndef NOPAUSE
  wmarks++;
#else
  skip;
#endif
}

inline resume() {
#ifndef NOPAUSE
  wmarks--;
#else
  skip;
#endif
}

/* A crash: what was to be told never is. The mark is that of a lease now. */
inline maycrash() {
  if
  :: atomic { crash_left -> crash_left = false; stuck++ } goto dead
  :: skip
  fi
}

proctype Writer() {
  byte v;
  pause();
  maycrash();
  atomic { db++; v = db }
  maycrash();
#ifdef EARLYRESUME
  resume();
#endif
  smarks++;
  newtok(stok);
#ifdef RELEASELAST
  resume();
#endif
  newtok(stok);
  smarks--;
#ifndef EARLYRESUME
#ifndef RELEASELAST
  resume();
#endif
#endif
  atomic { if :: acked < v -> acked = v :: else fi }
dead:
  skip
}

proctype Other() { pause(); resume() }

/* The mark of a crashed writer lapses at some time, with a new token. */
proctype Lease() {
  do
  :: atomic {
       stuck > 0 -> stuck--;
#ifndef KEEPSTOKEN
       wtok = next; next++;
#endif
       resume()
     }
  :: timeout -> break
  od
}

proctype Reader() {
  byte atleast, w, s, h, r, lv, lw, ls;
  byte n = 0;
  do
  :: n < READS ->
    atomic { atleast = acked; if :: seen > atleast -> atleast = seen :: else fi }
    atomic { lv = ev; lw = ew; ls = es }
    h = 0;
#ifndef MARKSAFTER
    h = wmarks;
    h = h + smarks;
#endif
    s = stok; w = wtok;
    h = h + wmarks;
    h = h + smarks;
    if
    :: h == 0 && lw == w && ls == s -> r = lv
    :: else ->
      r = db;
      if
      :: h == 0 -> atomic { if :: w == wtok && s == stok -> ev = r; ew = w; es = s :: else fi }
      :: else
      fi
    fi;
    assert(r >= atleast);
    atomic { if :: seen < r -> seen = r :: else fi }
    d_step { n++; atleast = 0; w = 0; s = 0; h = 0; r = 0; lv = 0; lw = 0; ls = 0 }
  :: else -> break
  od
}

init {
  atomic {
    run Writer();
#ifdef W2
    run Writer();
#endif
#ifdef OTHER
    run Other();
#endif
    run Reader(); run Reader(); run Lease()
  }
}
