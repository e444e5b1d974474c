internal import IPC

/// What the loop does for file brokers: it watches their descriptors, tells workers, and has a log for each.
protocol FileBrokerHost: AnyObject {
    func watch(_ descriptor: Int32, _ source: FileBrokers.Source, _ token: UInt64)
    func unwatch(_ descriptor: Int32)
    /// Sends a message to the worker of a connection, where it still has one.
    /// - Returns: false where its channel has no room for it now.
    func tell(_ connection: ConnectionTable.ID, _ message: ToWorker, requestID: UInt32, descriptor: SharedFD?) -> Bool
    /// Workers that have no client any more or were killed, and have not ended.
    var leavingWorkers: Int { get }
    /// A worker takes no messages.
    func giveUp(_ connection: ConnectionTable.ID)
    /// A line of what this connection makes the daemon log.
    func log(
        _ connection: ConnectionTable.ID, _ level: LogLevel, _ message: String,
        _ fields: KeyValuePairs<String, LogValue>)
}
