"""The shell program that runs the tasks of a pack in one container. Used by `command`, which puts it in front of a job's own.

Its contract is told in docs/explanation/packed-tasks.md, the choice of shell in docs/adr/0009. It must run in dash, busybox ash and
bash with nothing beside it but `sleep`, and Linux' /proc, so: no bashisms, no `wait -n`, no FIFO, no temporary file.

How it works. Process 1 only passes signals on (a shell acts on a signal at once only while it waits). Its child, the loop, starts tasks,
keeps the report, and learns of everything by lines in a pipe to itself: `SLOT CODE` (a task ended), `t` (a second has passed), `x` (stop).
Each task has a watcher, a shell that waits for it and writes that line; there is no portable way to wait for any of several children.

Names begin with `_pw_`, as variables of the container's environment are the shell's variables too. The caller defines before it:
`_pw_task` (becomes the task), `_pw_total`, `_pw_slots`, `_pw_limit` and `_pw_grace` (seconds; limit 0 is none), `_pw_file` (of the
termination message), `_pw_room` (bytes for the report) and `_pw_most` (no further task is started beyond). Its arguments are the tasks in order:
ranges of indexes, or each index followed by its item when `_pw_items` is 1.
"""

from typing import Final

_SOURCE: Final = r"""
_pw_x0= _pw_xt= _pw_codes= _pw_stalled= _pw_started=0 _pw_tick=0 _pw_stop= _pw_text= _pw_told=

# Puts index $1 into _pw_list, sorted ranges such as 0-3,7. Tasks mostly end in order: that case doesn't read the list.
_pw_insert() {
  if [ -z "$_pw_list" ]; then _pw_list=$1; return; fi
  _pw_end=${_pw_list##*,}
  if [ "$1" -gt $((${_pw_end##*-} + 1)) ]; then _pw_list=$_pw_list,$1; return; fi
  if [ "$1" -gt "${_pw_end##*-}" ]; then
    case $_pw_end in *-*) _pw_list=${_pw_list%-*} ;; esac
    _pw_list=$_pw_list-$1
    return
  fi
  _pw_new= _pw_low=$1 _pw_high=$1 _pw_left=1
  IFS=,
  for _pw_range in $_pw_list; do
    if [ "${_pw_range#*-}" -lt $((_pw_low - 1)) ]; then _pw_new=$_pw_new,$_pw_range
    elif [ "${_pw_range%-*}" -gt $((_pw_high + 1)) ]; then
      if [ "$_pw_left" ]; then _pw_place; fi
      _pw_new=$_pw_new,$_pw_range
    else
      if [ "${_pw_range%-*}" -lt "$_pw_low" ]; then _pw_low=${_pw_range%-*}; fi
      if [ "${_pw_range#*-}" -gt "$_pw_high" ]; then _pw_high=${_pw_range#*-}; fi
    fi
  done
  unset IFS
  if [ "$_pw_left" ]; then _pw_place; fi
  _pw_list=${_pw_new#,}
}

_pw_place() {
  _pw_new=$_pw_new,$_pw_low _pw_left=
  if [ "$_pw_low" != "$_pw_high" ]; then _pw_new=$_pw_new-$_pw_high; fi
}

_pw_compose() {
  _pw_text="podwright pack: started $_pw_started"
  if [ "$_pw_x0" ]; then _pw_text="$_pw_text; succeeded $_pw_x0"; fi
  for _pw_code in $_pw_codes; do eval "_pw_text=\"\$_pw_text; exit $_pw_code: \$_pw_x$_pw_code\""; done
  if [ "$_pw_xt" ]; then _pw_text="$_pw_text; timed out: $_pw_xt"; fi
  _pw_text="$_pw_text$_pw_stalled."
}

# Notes task $2 under $1: an exit code, or t. What finds no room in the report is left out, never garbled.
_pw_record() {
  eval "_pw_list=\${_pw_x$1-}"
  _pw_before=$_pw_list _pw_known=$_pw_codes
  case $1 in 0 | t) ;; *) if [ -z "$_pw_list" ]; then _pw_codes="$_pw_codes $1"; fi ;; esac
  _pw_insert "$2"
  eval "_pw_x$1=\$_pw_list"
  _pw_compose
  if [ ${#_pw_text} -gt "$_pw_room" ]; then
    eval "_pw_x$1=\$_pw_before"
    _pw_codes=$_pw_known
    _pw_compose
  fi
  if [ ${#_pw_text} -gt "$_pw_most" ] && [ -z "$_pw_stop" ]; then _pw_stop=full; fi
}

# Overwrites the report in place: whenever the container is killed, either the old or the new one is there.
_pw_tell() {
  if [ "$_pw_told" != "$_pw_text" ]; then
    echo "$_pw_text" 1<>"$_pw_file"
    _pw_told=$_pw_text
  fi
} 2>/dev/null

# Lists all processes below $1 in _pw_tree.
_pw_below() {
  _pw_tree= _pw_seen=" $1 " _pw_more=1
  while [ "$_pw_more" ]; do
    _pw_more=
    for _pw_stat in /proc/[0-9]*/stat; do
      _pw_pid=${_pw_stat#/proc/} _pw_pid=${_pw_pid%/stat}
      case $_pw_seen in *" $_pw_pid "*) continue ;; esac
      { read -r _pw_line <"$_pw_stat"; } 2>/dev/null || continue
      _pw_line=${_pw_line##*) ? } # what follows the name and the state begins with the parent
      case $_pw_seen in *" ${_pw_line%% *} "*)
        _pw_seen="$_pw_seen$_pw_pid " _pw_tree="$_pw_tree $_pw_pid" _pw_more=1 ;;
      esac
    done
  done
}

# Sends signal $1 to everything below the worker of slot $2, and to what was there when the slot was first signalled: what a
# task leaves behind when it ends is no longer below it.
_pw_signal() {
  eval "_pw_below \$_pw_w$2; _pw_tree=\"\$_pw_tree \${_pw_k$2-}\"; _pw_k$2=\$_pw_tree"
  if [ "${_pw_tree# }" ]; then kill -s "$1" $_pw_tree; fi
} 2>/dev/null

_pw_on_tick() {
  _pw_tick=$((_pw_tick + 1))
  for _pw_slot in $_pw_busy; do
    eval "_pw_age=\$((_pw_tick - _pw_b$_pw_slot)) _pw_due=\${_pw_t$_pw_slot-}"
    if [ "$_pw_limit" -gt 0 ] && [ "$_pw_age" -gt "$_pw_limit" ]; then
      eval "_pw_t$_pw_slot=1"
      if [ -z "$_pw_due" ]; then _pw_signal TERM "$_pw_slot"
      elif [ "$_pw_age" -gt $((_pw_limit + _pw_grace)) ]; then _pw_signal KILL "$_pw_slot"
      fi
    fi
    # A worker that something killed can tell nothing: its task counts as killed, too. Behind what it may have told before.
    eval "_pw_pid=\$_pw_w$_pw_slot _pw_number=\$_pw_n$_pw_slot"
    { read -r _pw_line <"/proc/$_pw_pid/stat"; } 2>/dev/null || _pw_line=') Z '
    case ${_pw_line##*)} in ' Z '*) echo "$_pw_slot $_pw_number lost" >&4 ;; esac
  done
}

_pw_on_end() {
  eval "_pw_i=\$_pw_i$1 _pw_number=\$_pw_n$1 _pw_due=\${_pw_t$1-} _pw_age=\$((_pw_tick - _pw_b$1))"
  [ "$2" = "$_pw_number" ] || return 0 # an earlier task's: it was told already
  if [ "$_pw_due" ]; then _pw_signal KILL "$1"; fi
  eval "_pw_n$1= _pw_t$1= _pw_k$1="
  _pw_others=
  for _pw_slot in $_pw_busy; do if [ "$_pw_slot" != "$1" ]; then _pw_others="$_pw_others $_pw_slot"; fi; done
  _pw_busy=$_pw_others _pw_status=$3
  if [ "$_pw_status" = lost ]; then _pw_status=137 _pw_hire=$1; else _pw_free="$1 $_pw_free"; fi
  if [ "$_pw_stop" = told ]; then
    # Whatever a task says after it was told to stop, nobody knows whether its work is done.
    echo "[podwright] task $_pw_i stopped"
  elif [ "$_pw_due" ]; then
    echo "[podwright] task $_pw_i timed out after ${_pw_age}s"
    _pw_record t "$_pw_i"
  else
    echo "[podwright] task $_pw_i exit $_pw_status after ${_pw_age}s"
    _pw_record "$_pw_status" "$_pw_i"
    if [ "$_pw_status" = 0 ]; then _pw_ok=$((_pw_ok + 1)); fi
  fi
  if [ "${PODWRIGHT_HEARTBEAT_FILE-}" ]; then : >"$PODWRIGHT_HEARTBEAT_FILE"; fi 2>/dev/null
}

_pw_on_stop() {
  _pw_stop=told
  if [ -e "${PODWRIGHT_HEARTBEAT_FILE-/}.stalled" ]; then _pw_stalled='; no progress'; _pw_compose; fi
  for _pw_slot in $_pw_busy; do _pw_signal TERM "$_pw_slot"; done
}

# The worker of slot $1; the tasks follow. A line on its input is a task: its number, its index and where its item is in "$@".
_pw_work() {
  trap : TERM HUP
  _pw_slot=$1
  shift
  exec 6<>/proc/self/fd/0
  echo "$_pw_slot 0 ready" >&4
  while :; do
    read -r _pw_number _pw_index _pw_at || continue # cut short by a signal
    if [ "$_pw_number" = end ]; then exit 0; fi
    if [ "$_pw_items" ]; then eval "_pw_item=\${$_pw_at}"; fi
    (exec </dev/null 4>&- 6>&-; _pw_task)
    echo "$_pw_slot $_pw_number $?" >&4
  done
}

_pw_start() {
  _pw_slot=${_pw_free%% *} _pw_free=${_pw_free#* } _pw_started=$((_pw_started + 1))
  _pw_compose
  _pw_tell # that it may have been started is on record before it is
  echo "[podwright] task $_pw_index started"
  eval "_pw_n$_pw_slot=$_pw_started _pw_i$_pw_slot=$_pw_index _pw_b$_pw_slot=$_pw_tick _pw_pid=\$_pw_w$_pw_slot"
  _pw_busy="$_pw_busy $_pw_slot"
  echo "$_pw_started $_pw_index $_pw_at" >"/proc/$_pw_pid/fd/6"
}

_pw_loop() {
  # Opened by this name for both directions, the pipe on our input is one to ourselves.
  exec 4<>/proc/self/fd/0 || exit 1
  trap : TERM HUP
  _pw_busy= _pw_free= _pw_ok=0 _pw_index=1 _pw_last=0 _pw_at=0
  read -r _pw_self _ </proc/self/stat
  (while sleep 1 && kill -0 "$_pw_self"; do echo t >&4; done) >/dev/null 2>&1 &
  _pw_ticker=$! _pw_hire= _pw_slot=$_pw_slots
  while [ "$_pw_slot" -gt 0 ]; do _pw_hire="$_pw_hire $_pw_slot" _pw_slot=$((_pw_slot - 1)); done
  while :; do
    for _pw_slot in $_pw_hire; do
      : | _pw_work "$_pw_slot" "$@" &
      eval "_pw_w$_pw_slot=$!"
    done
    _pw_hire=
    while [ "$_pw_free" ] && [ -z "$_pw_stop" ]; do
      if [ "$_pw_index" -lt "$_pw_last" ]; then _pw_index=$((_pw_index + 1))
      elif [ "$_pw_at" -eq $# ]; then break
      else
        _pw_at=$((_pw_at + 1))
        eval "_pw_index=\${$_pw_at}"
        _pw_last=${_pw_index#*-} _pw_index=${_pw_index%-*}
        if [ "$_pw_items" ]; then _pw_at=$((_pw_at + 1)); fi
      fi
      _pw_start
    done
    _pw_tell
    if [ -z "$_pw_busy" ] && [ "$_pw_free" ]; then break; fi
    read -r _pw_slot _pw_number _pw_code || continue # cut short by a signal
    case $_pw_slot in
      t) _pw_on_tick ;;
      x) _pw_on_stop ;;
      *) case $_pw_code in
        ready) _pw_free="$_pw_slot $_pw_free" ;;
        *) _pw_on_end "$_pw_slot" "$_pw_number" "$_pw_code" ;;
        esac ;;
    esac
  done
  _pw_slot=$_pw_slots
  while [ "$_pw_slot" -gt 0 ]; do eval "_pw_ticker=\"\$_pw_ticker \$_pw_w$_pw_slot\"" _pw_slot=$((_pw_slot - 1)); done
  kill -s KILL $_pw_ticker
  echo "$_pw_text" >"$_pw_file" # what a task wrote behind our text would push it out of the part that is kept
  [ "$_pw_ok" -eq "$_pw_total" ]
}

_pw_pass_on() {
  _pw_asked=1
  if [ -z "$_pw_child" ]; then return; fi
  until echo x >"/proc/$_pw_child/fd/4"; do # it may not have opened the pipe yet, or have ended meanwhile
    read -r _pw_line <"/proc/$_pw_child/stat" || return 0
    case ${_pw_line##*)} in ' Z '*) return 0 ;; esac
  done
} 2>/dev/null

_pw_compose
_pw_tell
_pw_child= _pw_asked=
trap _pw_pass_on TERM INT QUIT HUP
: | _pw_loop "$@" &
_pw_child=$!
if [ "$_pw_asked" ]; then _pw_pass_on; fi
while :; do
  wait "$_pw_child"
  _pw_code=$?
  kill -0 "$_pw_child" 2>/dev/null || break # else the wait was cut short by a signal
done
[ "$_pw_code" -eq 0 ] || exit 1
"""


def _without_remarks(source: str) -> str:
    lines = (line.partition(" # ")[0].strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#")) + "\n"


RUNNER: Final = _without_remarks(_SOURCE)
