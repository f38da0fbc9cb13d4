CREATE DATABASE {{ .database }} CHARACTER SET utf8mb4;
CREATE USER chat@'%' IDENTIFIED BY '{{ .chat }}';
GRANT SELECT, INSERT, UPDATE, DELETE ON {{ .database }}.* TO chat@'%';
CREATE USER chat_migrate@'%' IDENTIFIED BY '{{ .migration }}';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON {{ .database }}.* TO chat_migrate@'%';
