internal import Glibc
public import IPC

/// The three descriptors that a session's data flows over, from the worker to the master.
public struct SessionDescriptors: ~Copyable, Sendable {
    /// One of them is no pipe.
    public struct NotAPipe: Error, Equatable {
        /// 0, 1 or 2.
        public let number: Int
    }

    private var input: OwnedFD?
    private var output: OwnedFD?
    private var error: OwnedFD?
    private let numbers: [Int32]
    private var sent = 0

    /// Takes ownership of three pipes, by fstat(2). A socket would be a way out of the sandbox, and would live on in the
    /// master when the daemon has ended; a file or a terminal is nothing that a worker has.
    public init(
        input: consuming OwnedFD, output: consuming OwnedFD, error: consuming OwnedFD
    ) throws(NotAPipe) {
        numbers = [input.rawValue, output.rawValue, error.rawValue]
        for (number, descriptor) in numbers.enumerated() {
            var information = stat()
            guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFIFO else {
                throw NotAPipe(number: number)
            }
        }
        self.input = consume input
        self.output = consume output
        self.error = consume error
    }

    /// The next one to send, a borrowed number; nil where all are sent.
    var next: Int32? { sent < numbers.count ? numbers[sent] : nil }

    /// Closes the one that was sent: from now on only the master has it, so that ends of file mean what they say.
    mutating func closeSent() {
        switch sent {
        case 0: input = nil
        case 1: output = nil
        default: error = nil
        }
        sent += 1
    }
}
