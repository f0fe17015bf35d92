# What the two servers of HiveServer2's protocol share; sourced by hive/server and spark-thrift/server,
# which set WORK, PORT, DEFAULT_PORT, AUTH, TRANSPORT and VARIABLE.

CLIENT_PACKAGES=(pyhive==0.7.0 thrift==0.25.0 thrift-sasl==0.4.3 pure-sasl==0.6.2)

# The default port's instance has the plain names; another port has its own data, log and pid.
if [ "$PORT" = "$DEFAULT_PORT" ]; then INSTANCE=""; else INSTANCE="-$PORT"; fi
DATA="$WORK/data$INSTANCE"
LOG="$WORK/server$INSTANCE.log"
PIDFILE="$WORK/server$INSTANCE.pid"
# The closing blank keeps data and data-21200 apart.
MARK="-Dlupus.dir=$DATA "

client_python() {
  # Hive and Spark may be fetched at the same time.
  exec 8>"$SERVERS_DIR/client.lock"
  flock 8
  python_with "$SERVERS_DIR/client" "${CLIENT_PACKAGES[@]}"
  exec 8>&-
}

# serve COMMAND...: runs it detached in the data folder.
serve() {
  free_port "$PORT" "another port"
  mkdir -p "$DATA/tmp"
  : >"$LOG"
  (cd "$DATA" && launch "$PIDFILE" "$LOG" "$@")
}

# ready CLIENT: returns when a query has been answered; ends the server when that takes too long.
ready() {
  if "$1" "$SERVERS/thrift_ready.py" --host "$ADDRESS" --port "$PORT" --auth "$AUTH" \
    --transport "$TRANSPORT" --pidfile "$PIDFILE" --timeout "$READY_TIMEOUT" >&2; then return; fi
  tail -n 20 "$LOG" >&2
  stop
  die "not ready; the whole log is $LOG"
}

print_url() {
  local scheme=hive query=""
  if [ "$TRANSPORT" = http ]; then scheme=hive+http; fi
  if [ "$AUTH" != NONE ]; then query="?auth=$AUTH"; fi
  echo "export $VARIABLE=$scheme://$ADDRESS:$PORT/default$query"
}

status() { running "$PIDFILE" "$MARK"; }

# The pid file goes: the next start's waiting must not take the old one for its own.
stop() {
  end "$PIDFILE" "$MARK" "${1:-TERM}"
  rm -f "$PIDFILE"
}

down() {
  stop
  rm -rf "$DATA"
}
