// Package inspect explains captured requests, answers and notifications with the code that reads
// them in calls, and shows the request that an event becomes. It sends nothing.
package inspect
