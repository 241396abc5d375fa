------------------------------- MODULE Status -------------------------------
(* Trade status on one partition of observations and the partition of        *)
(* trade-status of the same number. A process merges observations in memory, *)
(* publishes them with their offset in one Kafka transaction, and has the    *)
(* committed ones in a store on its disk, which a restart goes on from.      *)
(*                                                                           *)
(* Checked: of each order the versions that a read_committed reader sees are *)
(* 1, 2, 3, ... (after a tombstone again 1), each observation is merged at   *)
(* most once, and none whose offset is committed is missing; with faults     *)
(* bounded, every observation is merged.                                     *)
(*                                                                           *)
(* Each switch turns off one rule. With all on the model holds; with any one *)
(* off TLC must find a counterexample.                                       *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  Members,        \* processes; each has a stable transactional id and a disk of its own
  N,              \* observations 1..N, all of which are news
  KeyOf,          \* the order of an observation
  Forgets,        \* the observations that end their order with a tombstone
  MaxCrash, MaxMove, MaxLoss, MaxCompact, MaxRecreate,   \* fault budgets
  StableFetch,    \* the input's committed offset is read only when no transaction on it is pending
  ToTheEnd,       \* a restore reads to the high watermark, not to the last stable offset
  OnlyCommitted,  \* the disk gets a merge when it is known to be committed, not when it is made
  OneWrite,       \* values and checkpoint are one write
  Discard,        \* what is in memory goes with the partition
  ReadBack,       \* after a lost answer the committed offset says whether the merges are visible
  WipeOther,      \* a store of another topic of the same name is wiped
  WipeOld         \* a store that may lack a tombstone is wiped

None == "none"
Keys == {KeyOf[o] : o \in 1..N}
NoVals == [k \in Keys |-> 0]                  \* version 0: the order is not known
Empty == [topic |-> 0, cp |-> 0, vals |-> NoVals]
Down == [up |-> FALSE, st |-> "idle", gen |-> 0, pos |-> 0, end |-> 0, mem |-> NoVals, has |-> {},
         batch |-> <<>>, ep |-> 0]

VARIABLES
  gen, owner,   \* of the group; the owner of a generation may commit
  com,          \* the input's committed offset: the next observation
  txn,          \* per process: [st, next, ep]; st idle, open, prepared; next # 0: an offset is in it
  log,          \* trade-status: [k, v, o, m, st]; st open, committed, aborted; compaction makes st "gone"
  topic,        \* the id of trade-status
  disk,         \* per process
  pend,         \* per process: values whose checkpoint is written and which are not (only without OneWrite)
  p, spent
vars == <<gen, owner, com, txn, log, topic, disk, pend, p, spent>>

Spend(f, max) == spent[f] < max /\ spent' = [spent EXCEPT ![f] = @ + 1]
Idle(ep) == [st |-> "idle", next |-> 0, ep |-> ep]

Init ==
  /\ gen = 0 /\ owner = None /\ com = 1 /\ log = <<>> /\ topic = 1
  /\ txn = [m \in Members |-> Idle(0)]
  /\ disk = [m \in Members |-> Empty]
  /\ pend = [m \in Members |-> <<>>]
  /\ p = [m \in Members |-> Down]
  /\ spent = [f \in {"crash", "move", "loss", "compact", "recreate"} |-> 0]

Mark(m, st) == [i \in 1..Len(log) |-> IF log[i].m = m /\ log[i].st = "open" THEN [log[i] EXCEPT !.st = st] ELSE log[i]]

-----------------------------------------------------------------------------
(* Processes and group *)

\* InitProducerID aborts what is open under the transactional id, and waits for what is prepared.
Start(m) ==
  /\ ~p[m].up /\ txn[m].st # "prepared"
  /\ log' = Mark(m, "aborted")
  /\ txn' = [txn EXCEPT ![m] = Idle(txn[m].ep + 1)]
  /\ p' = [p EXCEPT ![m] = [Down EXCEPT !.up = TRUE, !.ep = txn[m].ep + 1]]
  /\ UNCHANGED <<gen, owner, com, topic, disk, pend, spent>>

Crash(m) ==
  /\ p[m].up /\ Spend("crash", MaxCrash)
  /\ p' = [p EXCEPT ![m] = Down]
  /\ pend' = [pend EXCEPT ![m] = <<>>]         \* what was not written is lost
  /\ owner' = IF owner = m THEN None ELSE owner
  /\ gen' = gen + 1
  /\ UNCHANGED <<com, txn, log, topic, disk>>

\* The transaction of a process that is down or gone times out.
TimeOut(m) ==
  /\ txn[m].st = "open" /\ (~p[m].up \/ p[m].ep # txn[m].ep)
  /\ log' = Mark(m, "aborted")
  /\ txn' = [txn EXCEPT ![m] = Idle(txn[m].ep + 1)]
  /\ UNCHANGED <<gen, owner, com, topic, disk, pend, p, spent>>

\* The partition goes to another process; the old owner does not know yet.
Move(m) ==
  /\ p[m].up /\ owner # m
  /\ owner = None \/ Spend("move", MaxMove)
  /\ owner = None => UNCHANGED spent
  /\ owner' = m /\ gen' = gen + 1
  /\ UNCHANGED <<com, txn, log, topic, disk, pend, p>>

Drop(m) ==
  /\ p[m].up /\ p[m].st # "idle" /\ p[m].gen # gen /\ p[m].batch = <<>>
  /\ p' = [p EXCEPT ![m].st = "idle", ![m].mem = IF Discard THEN NoVals ELSE @, ![m].has = IF Discard THEN {} ELSE @]
  /\ UNCHANGED <<gen, owner, com, txn, log, topic, disk, pend, spent>>

-----------------------------------------------------------------------------
(* Restore *)

Pending == \E m \in Members : txn[m].st \in {"open", "prepared"} /\ txn[m].next # 0
CanFetch == ~StableFetch \/ ~Pending
Stable == IF \E i \in 1..Len(log) : log[i].st = "open"
          THEN (CHOOSE i \in 1..Len(log) : log[i].st = "open" /\ \A j \in 1..(i-1) : log[j].st # "open") - 1
          ELSE Len(log)
Target == IF ToTheEnd THEN Len(log) ELSE Stable

Take(m) ==
  /\ p[m].up /\ owner = m /\ p[m].st = "idle"
  /\ CanFetch
  /\ p' = [p EXCEPT ![m].st = "restoring", ![m].gen = gen, ![m].end = Target, ![m].pos = com]
  /\ disk' = [disk EXCEPT ![m] = IF (@.topic # topic /\ WipeOther) \/ @.topic = 0 THEN [Empty EXCEPT !.topic = topic]
                                 ELSE IF WipeOld /\ \E i \in (@.cp+1)..Len(log) : log[i].st = "gone" THEN [Empty EXCEPT !.topic = topic] ELSE @]
  /\ UNCHANGED <<gen, owner, com, txn, log, topic, pend, spent>>

ReadTail(m) ==
  LET i == disk[m].cp + 1 IN
  /\ p[m].up /\ p[m].st = "restoring" /\ i <= p[m].end
  /\ i > Len(log) \/ log[i].st # "open"
  /\ disk' = [disk EXCEPT ![m].cp = i, ![m].vals = IF i <= Len(log) /\ log[i].st = "committed" THEN [@ EXCEPT ![log[i].k] = log[i].v] ELSE @]
  /\ UNCHANGED <<gen, owner, com, txn, log, topic, pend, p, spent>>

Open(m) ==
  /\ p[m].up /\ p[m].st = "restoring" /\ disk[m].cp >= p[m].end
  /\ p' = [p EXCEPT ![m].st = "open"]
  /\ UNCHANGED <<gen, owner, com, txn, log, topic, disk, pend, spent>>

-----------------------------------------------------------------------------
(* Merge, publish, settle *)

Current(m, k) == IF k \in p[m].has THEN p[m].mem[k] ELSE disk[m].vals[k]
Next1(m, o) == IF o \in Forgets THEN 0 ELSE Current(m, KeyOf[o]) + 1

\* One observation, merged in memory and produced in a transaction. (A batch of several is the same step repeated.)
Publish(m) ==
  LET o == p[m].pos IN
  LET e == [k |-> KeyOf[o], v |-> Next1(m, o), o |-> o, m |-> m, st |-> "open"] IN
  /\ p[m].up /\ p[m].st = "open" /\ o <= N /\ p[m].batch = <<>> /\ txn[m].st = "idle" /\ txn[m].ep = p[m].ep
  /\ log' = Append(log, e)
  /\ txn' = [txn EXCEPT ![m].st = "open"]
  /\ p' = [p EXCEPT ![m].batch = <<e, Len(log) + 1>>, ![m].mem = [@ EXCEPT ![e.k] = e.v], ![m].has = @ \cup {e.k}, ![m].pos = o + 1]
  /\ disk' = IF OnlyCommitted THEN disk ELSE [disk EXCEPT ![m].vals = [@ EXCEPT ![e.k] = e.v], ![m].cp = Len(log) + 1]
  /\ UNCHANGED <<gen, owner, com, topic, pend, spent>>

Batch(m) == p[m].batch[1]

CommitOffset(m) ==
  /\ p[m].up /\ p[m].batch # <<>> /\ txn[m].st = "open" /\ txn[m].ep = p[m].ep /\ txn[m].next = 0 /\ p[m].st = "open"
  /\ IF owner = m /\ p[m].gen = gen
     THEN txn' = [txn EXCEPT ![m].next = Batch(m).o + 1] /\ p' = p
     ELSE txn' = txn /\ p' = [p EXCEPT ![m].st = "failed"]
  /\ UNCHANGED <<gen, owner, com, log, topic, disk, pend, spent>>

\* What is known to be committed leaves memory for the disk.
ToDisk(m) ==
  IF OneWrite
  THEN /\ disk' = [disk EXCEPT ![m].vals = [@ EXCEPT ![Batch(m).k] = Batch(m).v], ![m].cp = IF @ < p[m].batch[2] THEN p[m].batch[2] ELSE @]
       /\ pend' = pend
  ELSE /\ disk' = [disk EXCEPT ![m].cp = IF @ < p[m].batch[2] THEN p[m].batch[2] ELSE @]
       /\ pend' = [pend EXCEPT ![m] = <<Batch(m)>>]

Written(r, k) == [r EXCEPT !.batch = <<>>, !.has = IF OneWrite THEN @ \ {k} ELSE @]

EndTxn(m) ==
  /\ p[m].up /\ p[m].batch # <<>> /\ p[m].st = "open" /\ txn[m].st = "open" /\ txn[m].ep = p[m].ep /\ txn[m].next # 0 /\ pend[m] = <<>>
  /\ \/ /\ txn' = [txn EXCEPT ![m].st = "prepared"]
        /\ p' = [p EXCEPT ![m] = Written(p[m], Batch(m).k)]
        /\ ToDisk(m) /\ UNCHANGED spent
     \/ /\ Spend("loss", MaxLoss)                                \* done, the answer is lost
        /\ txn' = [txn EXCEPT ![m].st = "prepared"]
        /\ p' = [p EXCEPT ![m].st = "failed"]
        /\ UNCHANGED <<disk, pend>>
     \/ /\ Spend("loss", MaxLoss)                                \* not done
        /\ p' = [p EXCEPT ![m].st = "failed"]
        /\ UNCHANGED <<txn, disk, pend>>
  /\ UNCHANGED <<gen, owner, com, log, topic>>

\* The values of a checkpoint that was written first.
WriteValues(m) ==
  /\ p[m].up /\ pend[m] # <<>>
  /\ disk' = [disk EXCEPT ![m].vals = [@ EXCEPT ![pend[m][1].k] = pend[m][1].v]]
  /\ pend' = [pend EXCEPT ![m] = <<>>]
  /\ p' = [p EXCEPT ![m].has = @ \ {pend[m][1].k}]
  /\ UNCHANGED <<gen, owner, com, txn, log, topic, spent>>

\* The markers of a transaction reach the two topics in any order.
MarkOffset(m) ==
  /\ txn[m].st = "prepared" /\ txn[m].next # 0
  /\ com' = txn[m].next
  /\ txn' = [txn EXCEPT ![m].next = 0, ![m].st = IF \E i \in 1..Len(log) : log[i].m = m /\ log[i].st = "open" THEN @ ELSE "idle"]
  /\ UNCHANGED <<gen, owner, log, topic, disk, pend, p, spent>>
MarkLog(m) ==
  /\ txn[m].st = "prepared" /\ \E i \in 1..Len(log) : log[i].m = m /\ log[i].st = "open"
  /\ log' = Mark(m, "committed")
  /\ txn' = [txn EXCEPT ![m].st = IF txn[m].next = 0 THEN "idle" ELSE @]
  /\ UNCHANGED <<gen, owner, com, topic, disk, pend, p, spent>>

\* After a failure: a new producer, which aborts what is open and waits for what is prepared; then the offset is read back.
Recover(m) ==
  /\ p[m].up /\ p[m].st = "failed" /\ txn[m].st # "prepared"
  /\ log' = Mark(m, "aborted")
  /\ txn' = [txn EXCEPT ![m] = Idle(txn[m].ep + 1)]
  /\ p' = [p EXCEPT ![m].st = "reread", ![m].ep = txn[m].ep + 1]
  /\ UNCHANGED <<gen, owner, com, topic, disk, pend, spent>>
Reread(m) ==
  /\ p[m].up /\ p[m].st = "reread" /\ CanFetch /\ pend[m] = <<>>
  /\ IF p[m].gen # gen                                            \* the partition is lost
     THEN /\ p' = [p EXCEPT ![m].st = "open", ![m].batch = <<>>]   \* Drop is next
          /\ UNCHANGED <<disk, pend>>
     ELSE IF ReadBack /\ com > Batch(m).o
     THEN /\ p' = [p EXCEPT ![m] = [Written(p[m], Batch(m).k) EXCEPT !.st = "open"]] /\ ToDisk(m)
     ELSE /\ p' = [p EXCEPT ![m].st = "again"]
          /\ UNCHANGED <<disk, pend>>
  /\ UNCHANGED <<gen, owner, com, txn, log, topic, spent>>
\* The outcome is published again as it was merged.
Again(m) ==
  /\ p[m].up /\ p[m].st = "again" /\ txn[m].st = "idle" /\ txn[m].ep = p[m].ep
  /\ log' = Append(log, Batch(m))
  /\ txn' = [txn EXCEPT ![m].st = "open"]
  /\ p' = [p EXCEPT ![m].st = "open", ![m].batch = <<Batch(m), Len(log) + 1>>]
  /\ UNCHANGED <<gen, owner, com, topic, disk, pend, spent>>

-----------------------------------------------------------------------------
(* The topic *)

\* Compaction deletes a tombstone and what it ended, when it is old. Nothing is under way then.
Quiet == \A m \in Members : txn[m].st = "idle" /\ p[m].st \in {"idle", "open"} /\ p[m].batch = <<>>
Compact ==
  /\ Quiet /\ Spend("compact", MaxCompact)
  /\ \E i \in 1..Len(log) : log[i].st = "committed" /\ log[i].v = 0
  /\ log' = [i \in 1..Len(log) |->
       IF log[i].st = "committed" /\ \E j \in i..Len(log) : log[j].st = "committed" /\ log[j].k = log[i].k /\ log[j].v = 0 THEN [log[i] EXCEPT !.st = "gone"] ELSE log[i]]
  /\ UNCHANGED <<gen, owner, com, txn, topic, disk, pend, p>>

\* The topic is deleted and made again, while no process runs: its state begins anew.
Recreate ==
  /\ Spend("recreate", MaxRecreate)
  /\ \A m \in Members : ~p[m].up /\ txn[m].st = "idle"
  /\ log' = <<>> /\ topic' = topic + 1
  /\ UNCHANGED <<gen, owner, com, txn, disk, pend, p>>

-----------------------------------------------------------------------------
Next ==
  \/ Compact \/ Recreate
  \/ \E m \in Members :
     Start(m) \/ Crash(m) \/ TimeOut(m) \/ Move(m) \/ Drop(m) \/ Take(m) \/ ReadTail(m) \/ Open(m) \/ Publish(m) \/ CommitOffset(m)
     \/ EndTxn(m) \/ WriteValues(m) \/ MarkOffset(m) \/ MarkLog(m) \/ Recover(m) \/ Reread(m) \/ Again(m)

Fair == \A m \in Members :
  /\ WF_vars(Start(m)) /\ WF_vars(TimeOut(m)) /\ WF_vars(Drop(m)) /\ WF_vars(Take(m)) /\ WF_vars(ReadTail(m)) /\ WF_vars(Open(m))
  /\ WF_vars(Publish(m)) /\ WF_vars(CommitOffset(m)) /\ WF_vars(EndTxn(m)) /\ WF_vars(WriteValues(m)) /\ WF_vars(MarkOffset(m))
  /\ WF_vars(MarkLog(m)) /\ WF_vars(Recover(m)) /\ WF_vars(Reread(m)) /\ WF_vars(Again(m))
  /\ WF_vars(Move(m) /\ owner = None)

Spec == Init /\ [][Next]_vars
LiveSpec == Spec /\ Fair

-----------------------------------------------------------------------------
Visible(i) == log[i].st \in {"committed", "gone"}
Before(i) == {j \in 1..(i-1) : Visible(j) /\ log[j].k = log[i].k}
Last(s) == CHOOSE x \in s : \A y \in s : y <= x
Undecided == \E m \in Members : txn[m].st = "prepared"

\* Versions grow by one. Where a marker is missing the reader waits.
Versions == ~Undecided => \A i \in 1..Len(log) :
  (Visible(i) /\ log[i].v # 0) => log[i].v = 1 + (IF Before(i) = {} THEN 0 ELSE log[Last(Before(i))].v)
MergedOnce == \A i, j \in 1..Len(log) : (i # j /\ Visible(i) /\ Visible(j)) => log[i].o # log[j].o
NothingLost == (topic = 1 /\ ~Undecided) => \A o \in 1..(com - 1) : \E i \in 1..Len(log) : Visible(i) /\ log[i].o = o

AllDone == <>[](com = N + 1)

\* Generations and epochs only matter by being the current one or not.
View == <<owner, com, log, topic, disk, pend, spent,
  [m \in Members |-> [txn[m] EXCEPT !.ep = 0]],
  [m \in Members |-> [p[m] EXCEPT !.gen = IF @ = gen THEN 1 ELSE 0, !.ep = IF @ = txn[m].ep THEN 1 ELSE 0]]>>
=============================================================================
