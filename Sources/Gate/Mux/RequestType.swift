/// The requests that the gate makes or takes.
enum RequestType: UInt32, CaseIterable {
    case hello = 0x0000_0001
    case newSession = 0x1000_0002
    case aliveCheck = 0x1000_0004
    case openForward = 0x1000_0006
    case closeForward = 0x1000_0007
}
