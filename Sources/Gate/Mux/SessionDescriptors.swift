internal import CLinux
internal import Glibc
public import IPC

/// The three pipes of a session's data, which the worker gives to the master.
public struct SessionDescriptors: ~Copyable, Sendable {
    /// One of the descriptors is not a pipe.
    public struct NotAPipe: Error, Equatable {
        /// Its number in the session: 0, 1 or 2.
        public let number: Int
    }

    private var input: OwnedFD?
    private var output: OwnedFD?
    private var error: OwnedFD?
    private var numbers: [Int32]
    private var sent = 0

    /// Takes ownership of three pipes, and checks by fcntl(2) F_GETPIPE_SZ, which fails with anything else, that they are pipes.
    /// A socket would be a way out of the sandbox, and would live on in the master after the daemon has ended. A worker has no
    /// file or terminal to give.
    public init(
        input: consuming OwnedFD, output: consuming OwnedFD, error: consuming OwnedFD
    ) throws(NotAPipe) {
        numbers = [input.rawValue, output.rawValue, error.rawValue]
        for (number, descriptor) in numbers.enumerated() {
            guard fcntl(descriptor, CSD_F_GETPIPE_SZ) >= 0 else { throw NotAPipe(number: number) }
        }
        self.input = consume input
        self.output = consume output
        self.error = consume error
    }

    /// Puts another pipe in the place of the session's standard input, before any is sent.
    /// - Returns: the one that was there.
    public mutating func exchangeInput(_ other: consuming OwnedFD) -> OwnedFD? {
        numbers[0] = other.rawValue
        let before = input.take()
        input = consume other
        return before
    }

    /// The descriptor to send next, borrowed; nil if all are sent.
    var next: Int32? { sent < numbers.count ? numbers[sent] : nil }

    /// Closes the descriptor that was sent. From then on only the master has it, so that the worker sees the end of
    /// file as soon as the master closes it.
    mutating func closeSent() {
        switch sent {
        case 0: input = nil
        case 1: output = nil
        default: error = nil
        }
        sent += 1
    }
}
