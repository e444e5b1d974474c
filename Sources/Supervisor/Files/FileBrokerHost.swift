internal import IPC

/// What the daemon's loop does for file brokers.
protocol FileBrokerHost: AnyObject {
    /// Calls `FileBrokers.event` with this source and token whenever the descriptor can be read.
    func watch(_ descriptor: Int32, _ source: FileBrokers.Source, _ token: UInt64)
    /// Ends that.
    func unwatch(_ descriptor: Int32)
    /// Sends a message to the worker of a connection, if it still has one.
    /// - Returns: false if the worker's channel has no room for it now.
    func tell(_ connection: ConnectionTable.ID, _ message: ToWorker, requestID: UInt32, descriptor: SharedFD?) -> Bool
    /// How many workers have lost their client or were killed, and have not ended.
    var leavingWorkers: Int { get }
    /// Kills a worker that takes no messages.
    func giveUp(_ connection: ConnectionTable.ID)
    /// Logs a line, which counts against the allowance of this connection.
    func log(
        _ connection: ConnectionTable.ID, _ level: LogLevel, _ message: String,
        _ fields: KeyValuePairs<String, LogValue>)
}
