.PHONY: kafka kafka-stop

## kafka: start Apache Kafka and a schema registry on 127.0.0.1 (integration/kafka.sh)
kafka:
	@integration/kafka.sh start

## kafka-stop: end them and delete their data
kafka-stop:
	@integration/kafka.sh stop
