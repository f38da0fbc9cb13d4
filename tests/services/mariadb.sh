# Part of serve. As durable as mysql.sh; MariaDB has no binary log unless asked.
root=$("$here/fetch" trixie)
from_template "$root"
command=("$here/inside" "$root" "$dir" mariadbd --no-defaults --user=root
    --datadir=/srv/data --tmpdir=/tmp --socket=/srv/mysql.sock --pid-file=/srv/mysqld.pid --secure-file-priv=
    --bind-address=127.0.0.1 --port="${ports[0]}" --skip-name-resolve --max-connections=500
    --ssl-ca=/srv/tls/ca.pem --ssl-cert=/srv/tls/server.pem --ssl-key=/srv/tls/server.key
    --innodb-flush-log-at-trx-commit=1 --innodb-buffer-pool-size=256M)
