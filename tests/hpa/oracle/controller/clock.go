package podautoscaler

import "time"

// oracleNow stands for time.Now in the controller's files, so that a case can say what time it is.
var oracleNow = time.Now
