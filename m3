NOTICE:  0 done
ERROR:  the background worker ended before the work was done
DETAIL:  The server's log says why.
HINT:  CALL migrate.apply() goes on where it stopped.
