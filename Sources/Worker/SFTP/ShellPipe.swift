/// The streams of a shell on the host.
protocol ShellPipe: Sendable {
    /// Queues bytes, in order. `then` is called when they are on their way, or cannot be any more.
    func send(_ bytes: [UInt8], then: @escaping @Sendable () -> Void)
    /// Ends the shell's input: nothing more is sent.
    func finishInput()
    /// Ends the shell at once.
    func close()
    /// What the shell printed to its standard error, for a person.
    var said: String { get }
}

extension ShellPipe {
    var said: String { "" }
}
