import IPC

@testable import SFTP

extension SFTPChannel {
    /// A channel with one way to the files.
    convenience init(
        deadline: Duration, opening: Duration? = nil, idle: Duration, way: FileTransport = .sftp,
        opener: @escaping Opener
    ) {
        self.init(deadline: deadline, opening: opening, idle: idle, openers: [(way, opener)])
    }
}
