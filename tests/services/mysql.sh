# Part of serve. Durable like in production, except that there is no binary log; small otherwise.
root=$("$here/fetch" sid)
from_template "$root"
command=("$here/inside" "$root" "$dir" mysqld --no-defaults --user=root
    --datadir=/srv/data --tmpdir=/tmp --socket=/srv/mysql.sock --pid-file=/srv/mysqld.pid --secure-file-priv=
    --bind-address=127.0.0.1 --port="${ports[0]}" --mysqlx=OFF --skip-name-resolve --max-connections=500
    --ssl-ca=/srv/tls/ca.pem --ssl-cert=/srv/tls/server.pem --ssl-key=/srv/tls/server.key
    --disable-log-bin --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=256M)
