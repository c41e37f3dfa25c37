// The version of Mosquitto whose behaviour `tobymq mosquitto` has; programs look for it in log and `$SYS`.

export const mosquittoVersion = '2.1.2';
