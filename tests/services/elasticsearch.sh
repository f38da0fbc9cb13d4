# Part of serve. One node that starts quickly: 512 MB, and without the compiler that takes long to make code fast.
# `-- -Xms1g -Xmx1g -XX:TieredStopAtLevel=4` is one that works a lot.
home=$("$here/fetch" elasticsearch)
mkdir -p "$dir/config" "$dir/data" "$dir/logs"
cat > "$dir/config/elasticsearch.yml" << YML
cluster.name: search
node.name: search-0
discovery.type: single-node
network.host: 127.0.0.1
http.port: ${ports[0]}
transport.port: ${ports[1]}
cluster.routing.allocation.disk.threshold_enabled: false
YML
cat > "$dir/config/log4j2.properties" << 'LOG'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
LOG
# Java takes its arguments before the class.
command=(java -Xms512m -Xmx512m -XX:TieredStopAtLevel=1 -XX:-UsePerfData
    -Djava.io.tmpdir="$dir/tmp" "${arguments[@]}"
    --module-path "$home/lib" --add-modules=ALL-MODULE-PATH -cp "$home/classes" SearchNode "$home" "$dir")
arguments=()
